-- Remembers which batch a caller's idempotency key stands for; the first request that uses the key decides.
--
-- KEYS[1]  the key's own hash (keys.ts: batches.idempotency)
-- ARGV[1]  digest of the request's body
-- ARGV[2]  id that the batch would have
-- ARGV[3]  seconds for which it is remembered
--
-- Returns {digest, id of the batch} of the first request.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'digest', ARGV[1], 'id', ARGV[2])
  redis.call('EXPIRE', KEYS[1], ARGV[3])
end
return redis.call('HMGET', KEYS[1], 'digest', 'id')
