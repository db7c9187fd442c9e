-- Withdraws a chunk that is not done: nobody can begin or commit it any more, and who runs it is told to stop.
--
-- KEYS[1]  hash of the chunk (keys.ts: embeds.chunk)
-- ARGV[1]  channel that the embedders listen to (keys.ts: embeds.cancelled)
-- ARGV[2]  id of the chunk
--
-- Returns 1: withdrawn; 0: it is done, its result can be read; -1: it was gone already.
local chunk = redis.call('HMGET', KEYS[1], 'epoch', 'head')
if not chunk[1] then
  return -1
end
if chunk[2] then
  return 0
end
redis.call('UNLINK', KEYS[1])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
