-- Counts the replicas that are alive, and passes on what they tell each other.
--
-- KEYS[1]  sorted set: replica -> when it was last seen, epoch ms (keys.ts: limits.replicas)
-- KEYS[2]  hash: replica -> its shortages (keys.ts: limits.shortages)
-- ARGV[1]  replica
-- ARGV[2]  milliseconds after which one that says nothing is dead
-- ARGV[3]  `beat`, or `leave`
-- ARGV[4]  its shortages as text, empty: none
--
-- Returns how many there are, then each of the others that tells something, and what.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function forget(replica)
  redis.call('ZREM', KEYS[1], replica)
  redis.call('HDEL', KEYS[2], replica)
end

for _, dead in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))) do
  forget(dead)
end
if ARGV[3] == 'leave' then
  forget(ARGV[1])
  return { redis.call('ZCARD', KEYS[1]) }
end
local reply = { 0 }
local told = redis.call('HGETALL', KEYS[2])
for i = 1, #told, 2 do
  if told[i] ~= ARGV[1] then
    reply[#reply + 1] = told[i]
    reply[#reply + 1] = told[i + 1]
  elseif ARGV[4] == '' then
    redis.call('HDEL', KEYS[2], ARGV[1])
  end
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2] * 2)
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[4])
  redis.call('PEXPIRE', KEYS[2], ARGV[2] * 2)
end
reply[1] = redis.call('ZCARD', KEYS[1])
return reply
