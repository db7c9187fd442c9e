-- Counts the replicas that are alive.
--
-- KEYS[1]  sorted set: replica -> when it was last seen, epoch ms (keys.ts: limits.replicas)
-- ARGV[1]  replica; with ARGV[3] it leaves
-- ARGV[2]  milliseconds after which one that says nothing is dead
-- ARGV[3]  `leave`, or nothing
--
-- Returns how many there are.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if ARGV[3] == 'leave' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], now, ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[2] * 2)
return redis.call('ZCARD', KEYS[1])
