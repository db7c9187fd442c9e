-- Reserves room for the next bytes of an upload, and keeps it from ending by itself.
--
-- KEYS[1]  sums of the owner (keys.ts: files.sums)
-- KEYS[2]  uploads: body -> bytes reserved (keys.ts: files.uploads)
-- KEYS[3]  when what ends by itself (keys.ts: files.due)
-- ARGV[1]  body
-- ARGV[2]  bytes
-- ARGV[3]  most bytes of one owner
-- ARGV[4]  milliseconds until the upload ends if nothing more is written
--
-- Returns `reserved`, `full`, or `gone` where the upload has ended.
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then
  return 'gone'
end
if tonumber(redis.call('HGET', KEYS[1], 'bytes') or 0) + ARGV[2] > tonumber(ARGV[3]) then
  return 'full'
end
local time = redis.call('TIME')
redis.call('HINCRBY', KEYS[1], 'bytes', ARGV[2])
redis.call('HINCRBY', KEYS[2], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[3], math.floor(time[1] * 1000 + time[2] / 1000) + ARGV[4], 'upload:' .. ARGV[1])
return 'reserved'
