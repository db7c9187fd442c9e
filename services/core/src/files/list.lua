-- One page of an owner's files.
--
-- KEYS[1]  ids by microseconds of creation, of all files or of one purpose (keys.ts: files.order)
-- KEYS[2]  files: id -> JSON (keys.ts: files.facts)
-- ARGV[1]  id of the last file of the page before; empty: the first page
-- ARGV[2]  most files
-- ARGV[3]  `asc` or `desc`
--
-- Returns false where ARGV[1] is not in the list; else whether there are more (1 or 0), then the files' JSON.
local command, rank = 'ZRANGE', 'ZRANK'
if ARGV[3] == 'desc' then
  command, rank = 'ZREVRANGE', 'ZREVRANK'
end
local from = 0
if ARGV[1] ~= '' then
  local at = redis.call(rank, KEYS[1], ARGV[1])
  if not at then
    return false
  end
  from = at + 1
end
local limit = tonumber(ARGV[2])
local ids = redis.call(command, KEYS[1], from, from + limit)
local page = { #ids > limit and 1 or 0 }
for i = 1, math.min(#ids, limit) do
  page[#page + 1] = redis.call('HGET', KEYS[2], ids[i])
end
return page
