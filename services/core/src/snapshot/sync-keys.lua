-- Makes the keys that come from the configuration equal to a list; leaves keys made through the admin API alone.
--
-- KEYS[1]  state hash (keys.ts: state)
-- KEYS[2]  key table: id -> ApiKey bytes (keys.ts: apiKeys)
-- KEYS[3]  set of the ids that come from the configuration (keys.ts: configuredKeyIds)
-- ARGV[1]  stamp, unique to this call; stands in the state when anything changed
-- ARGV[2]  channel (keys.ts: changes)
-- ARGV[3], ARGV[4], ...  id and ApiKey bytes of each key
--
-- Returns {keysVersion, number of keys written, number of keys removed}.
local written, removed = 0, 0
local wanted = {}
for i = 3, #ARGV, 2 do
  local id, bytes = ARGV[i], ARGV[i + 1]
  wanted[id] = true
  redis.call('SADD', KEYS[3], id)
  if redis.call('HGET', KEYS[2], id) ~= bytes then
    redis.call('HSET', KEYS[2], id, bytes)
    written = written + 1
  end
end
for _, id in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  if not wanted[id] then
    redis.call('HDEL', KEYS[2], id)
    redis.call('SREM', KEYS[3], id)
    removed = removed + 1
  end
end
if written + removed > 0 or redis.call('HEXISTS', KEYS[1], 'keysStamp') == 0 then
  redis.call('HINCRBY', KEYS[1], 'keysVersion', 1)
  redis.call('HSET', KEYS[1], 'keysStamp', ARGV[1])
  redis.call('PUBLISH', ARGV[2], 'keys')
end
return { tonumber(redis.call('HGET', KEYS[1], 'keysVersion')), written, removed }
