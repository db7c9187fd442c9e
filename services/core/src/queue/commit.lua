-- Writes the result of a chunk, once, if nobody began it since, and tells the process that waits for it.
--
-- KEYS[1]  hash of the chunk (keys.ts: embeds.chunk)
-- ARGV[1]  epoch that the caller began with
-- ARGV[2]  head: EmbeddingOutcome bytes
-- ARGV[3]  data: bytes of the answer; empty for a failure
-- ARGV[4]  milliseconds for which the result is kept
-- ARGV[5]  channel of the process that waits (keys.ts: embeds.done)
-- ARGV[6]  id of the chunk
--
-- Returns 1, or 0: nothing was written.
local chunk = redis.call('HMGET', KEYS[1], 'epoch', 'head')
if chunk[1] ~= ARGV[1] or chunk[2] then
  return 0
end
redis.call('HSET', KEYS[1], 'head', ARGV[2], 'data', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PUBLISH', ARGV[5], ARGV[6])
return 1
