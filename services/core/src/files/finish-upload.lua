-- Turns an upload into a file, unless there is already a file of that id: then the upload's body is to be removed.
--
-- KEYS[1]  sums of the owner (keys.ts: files.sums)
-- KEYS[2]  uploads: body -> bytes reserved (keys.ts: files.uploads)
-- KEYS[3]  when what ends by itself (keys.ts: files.due)
-- KEYS[4]  bodies to be removed: body -> `bytes:finished` (keys.ts: files.garbage)
-- KEYS[5]  files: id -> JSON (keys.ts: files.facts)
-- KEYS[6]  ids by microseconds of creation (keys.ts: files.order)
-- KEYS[7]  the same of the file's purpose
-- ARGV[1]  body
-- ARGV[2]  id
-- ARGV[3]  filename
-- ARGV[4]  purpose
-- ARGV[5]  seconds until it expires
--
-- Returns `made` or `there` and the file's JSON, or `gone` where the upload has ended.
local body, id = ARGV[1], ARGV[2]
local bytes = redis.call('HGET', KEYS[2], body)
if not bytes then
  return { 'gone' }
end
redis.call('HDEL', KEYS[2], body)
redis.call('ZREM', KEYS[3], 'upload:' .. body)
local there = redis.call('HGET', KEYS[5], id)
if there then
  redis.call('HINCRBY', KEYS[1], 'bytes', 0 - bytes)
  redis.call('HINCRBY', KEYS[1], 'files', -1)
  redis.call('HSET', KEYS[4], body, bytes .. ':1')
  return { 'there', there }
end
local time = redis.call('TIME')
local created = tonumber(time[1])
local expires = created + ARGV[5]
local facts = cjson.encode({
  id = id,
  bytes = tonumber(bytes),
  createdAt = created,
  expiresAt = expires,
  filename = ARGV[3],
  purpose = ARGV[4],
  body = body,
})
redis.call('HSET', KEYS[5], id, facts)
redis.call('ZADD', KEYS[6], created * 1000000 + time[2], id)
redis.call('ZADD', KEYS[7], created * 1000000 + time[2], id)
redis.call('ZADD', KEYS[3], expires * 1000, 'file:' .. id)
return { 'made', facts }
