-- Takes the next fencing epoch of a chunk: whoever began earlier can commit nothing any more.
--
-- KEYS[1]  hash of the chunk (keys.ts: embeds.chunk)
--
-- Returns the epoch, 1 or more; 0: the chunk is done; -1: it is gone (read, cancelled, its time is over, or Redis forgot it).
-- What is gone is never begun again, for a new record could not know of earlier epochs.
local chunk = redis.call('HMGET', KEYS[1], 'epoch', 'head')
if not chunk[1] then
  return -1
end
if chunk[2] then
  return 0
end
return redis.call('HINCRBY', KEYS[1], 'epoch', 1)
