-- Makes what is due disappear: files that have expired, uploads of which nothing was heard. Their bodies are to be removed.
--
-- KEYS[1]  sums of the owner (keys.ts: files.sums)
-- KEYS[2]  uploads: body -> bytes reserved (keys.ts: files.uploads)
-- KEYS[3]  when what ends by itself (keys.ts: files.due)
-- KEYS[4]  bodies to be removed: body -> `bytes:finished` (keys.ts: files.garbage)
-- KEYS[5]  files: id -> JSON (keys.ts: files.facts)
-- KEYS[6]  ids by microseconds of creation (keys.ts: files.order)
-- KEYS[7]  name of KEYS[6] and `:`; with a purpose behind it, the same of that purpose
-- ARGV[1]  most of them in one call
--
-- Returns how many there were, when the next one is due (milliseconds since the epoch; 0: there is none), and the number
-- of bodies that are to be removed.
local time = redis.call('TIME')
local now = math.floor(time[1] * 1000 + time[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, ARGV[1])
local bytes, count = 0, 0
for _, name in ipairs(due) do
  redis.call('ZREM', KEYS[3], name)
  local kind, id = string.match(name, '^(%a+):(.*)$')
  if kind == 'upload' then
    local reserved = redis.call('HGET', KEYS[2], id)
    if reserved then
      redis.call('HDEL', KEYS[2], id)
      redis.call('HSET', KEYS[4], id, reserved .. ':0')
      bytes = bytes + reserved
      count = count + 1
    end
  else
    local facts = redis.call('HGET', KEYS[5], id)
    if facts then
      local file = cjson.decode(facts)
      redis.call('HDEL', KEYS[5], id)
      redis.call('ZREM', KEYS[6], id)
      redis.call('ZREM', KEYS[7] .. file.purpose, id)
      redis.call('HSET', KEYS[4], file.body, string.format('%.0f:1', file.bytes))
      bytes = bytes + file.bytes
      count = count + 1
    end
  end
end
if count > 0 then
  redis.call('HINCRBY', KEYS[1], 'bytes', 0 - bytes)
  if redis.call('HINCRBY', KEYS[1], 'files', 0 - count) == 0 then
    redis.call('DEL', KEYS[1])
  end
end
local next = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
return { #due, tonumber(next[2] or 0), redis.call('HLEN', KEYS[4]) }
