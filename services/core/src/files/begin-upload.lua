-- Registers an upload, unless its owner has as many files as it may.
--
-- KEYS[1]  sums of the owner: bytes, files (keys.ts: files.sums)
-- KEYS[2]  uploads: body -> bytes reserved (keys.ts: files.uploads)
-- KEYS[3]  when what ends by itself: `file:<id>` or `upload:<body>`, by milliseconds (keys.ts: files.due)
-- ARGV[1]  body
-- ARGV[2]  most files of one owner, those on their way counted
-- ARGV[3]  milliseconds until the upload ends if nothing more is written
--
-- Returns 1, or 0 where there is no room.
if tonumber(redis.call('HGET', KEYS[1], 'files') or 0) >= tonumber(ARGV[2]) then
  return 0
end
local time = redis.call('TIME')
redis.call('HINCRBY', KEYS[1], 'files', 1)
redis.call('HSET', KEYS[2], ARGV[1], 0)
redis.call('ZADD', KEYS[3], math.floor(time[1] * 1000 + time[2] / 1000) + ARGV[3], 'upload:' .. ARGV[1])
return 1
