-- Notes that an embedder lives, or has left, and counts those that live.
--
-- KEYS[1]  sorted set: embedder -> when it was last seen, epoch ms (keys.ts: embeds.embedders)
-- ARGV[1]  milliseconds after which one that says nothing is dead
-- ARGV[2]  `beat`, `leave`, or `count`
-- ARGV[3]  the embedder; nothing to count
--
-- Returns how many live.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if ARGV[2] == 'count' then
  return redis.call('ZCOUNT', KEYS[1], now - tonumber(ARGV[1]), '+inf')
end
if ARGV[2] == 'leave' then
  redis.call('ZREM', KEYS[1], ARGV[3])
else
  redis.call('ZADD', KEYS[1], now, ARGV[3])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[1]))
redis.call('PEXPIRE', KEYS[1], ARGV[1] * 2)
return redis.call('ZCARD', KEYS[1])
