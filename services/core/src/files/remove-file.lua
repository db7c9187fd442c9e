-- Makes a file disappear; its body is to be removed.
--
-- KEYS[1]  sums of the owner (keys.ts: files.sums)
-- KEYS[2]  when what ends by itself (keys.ts: files.due)
-- KEYS[3]  bodies to be removed: body -> `bytes:finished` (keys.ts: files.garbage)
-- KEYS[4]  files: id -> JSON (keys.ts: files.facts)
-- KEYS[5]  ids by microseconds of creation (keys.ts: files.order)
-- KEYS[6]  name of KEYS[5] and `:`; with a purpose behind it, the same of that purpose
-- ARGV[1]  id
--
-- Returns the file's JSON, or false where there is none.
local facts = redis.call('HGET', KEYS[4], ARGV[1])
if not facts then
  return false
end
local file = cjson.decode(facts)
redis.call('HDEL', KEYS[4], ARGV[1])
redis.call('ZREM', KEYS[5], ARGV[1])
redis.call('ZREM', KEYS[6] .. file.purpose, ARGV[1])
redis.call('ZREM', KEYS[2], 'file:' .. ARGV[1])
redis.call('HINCRBY', KEYS[1], 'bytes', 0 - file.bytes)
redis.call('HINCRBY', KEYS[1], 'files', -1)
redis.call('HSET', KEYS[3], file.body, string.format('%.0f:1', file.bytes))
return facts
