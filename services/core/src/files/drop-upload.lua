-- Ends an upload without a file; its body is to be removed.
--
-- KEYS[1]  sums of the owner (keys.ts: files.sums)
-- KEYS[2]  uploads: body -> bytes reserved (keys.ts: files.uploads)
-- KEYS[3]  when what ends by itself (keys.ts: files.due)
-- KEYS[4]  bodies to be removed: body -> `bytes:finished` (keys.ts: files.garbage)
-- ARGV[1]  body
--
-- Returns 1, or 0 where it has ended before.
local bytes = redis.call('HGET', KEYS[2], ARGV[1])
if not bytes then
  return 0
end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], 'upload:' .. ARGV[1])
redis.call('HINCRBY', KEYS[1], 'bytes', 0 - bytes)
redis.call('HINCRBY', KEYS[1], 'files', -1)
redis.call('HSET', KEYS[4], ARGV[1], bytes .. ':0')
return 1
