-- Opens a chunk: from now on it may be begun, until it is done, cancelled, or its time is over.
--
-- KEYS[1]  hash of the chunk (keys.ts: embeds.chunk)
-- ARGV[1]  milliseconds until it is gone by itself
--
-- Returns 1, or 0 where it is open already.
if redis.call('HSETNX', KEYS[1], 'epoch', 0) == 0 then
  return 0
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
