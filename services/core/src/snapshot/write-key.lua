-- Writes or removes one key of the admin API, unless somebody else has changed it meanwhile.
--
-- KEYS[1]  state hash (keys.ts: state)
-- KEYS[2]  key table: id -> ApiKey bytes (keys.ts: apiKeys)
-- KEYS[3]  names of these keys: name -> id (keys.ts: apiKeyNames)
-- ARGV[1]  id of the key
-- ARGV[2]  ApiKey bytes that must stand there now; empty: none
-- ARGV[3]  ApiKey bytes from now on; empty: removes the key
-- ARGV[4]  its name until now; empty: none
-- ARGV[5]  its name from now on; empty: none
-- ARGV[6]  stamp, unique to this call
-- ARGV[7]  channel (keys.ts: changes)
--
-- Returns `written`, or why nothing was: `changed` (something else stands there), `name taken` (by another key).
local id, before, after, old_name, new_name = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if (redis.call('HGET', KEYS[2], id) or '') ~= before then
  return 'changed'
end
if new_name ~= '' then
  local holder = redis.call('HGET', KEYS[3], new_name)
  -- A name whose key was taken out of the table by other means is free.
  if holder and holder ~= id and redis.call('HEXISTS', KEYS[2], holder) == 1 then
    return 'name taken'
  end
end
if old_name ~= '' and redis.call('HGET', KEYS[3], old_name) == id then
  redis.call('HDEL', KEYS[3], old_name)
end
if after == '' then
  redis.call('HDEL', KEYS[2], id)
else
  redis.call('HSET', KEYS[2], id, after)
  redis.call('HSET', KEYS[3], new_name, id)
end
redis.call('HINCRBY', KEYS[1], 'keysVersion', 1)
redis.call('HSET', KEYS[1], 'keysStamp', ARGV[6])
redis.call('PUBLISH', ARGV[7], 'keys')
return 'written'
