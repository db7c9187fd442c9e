-- Takes a batch from one status to another, if it is in one from which that is allowed.
--
-- KEYS[1]  the batch (keys.ts: batches.batch)
-- ARGV[1]  statuses from which it may go, joined by commas
-- ARGV[2]  the new status
-- ARGV[3]  field that tells when, such as cancellingAt; '': none
-- ARGV[4]  seconds for which the batch is kept from now on; 0: no change
-- ARGV[5], ARGV[6], ...  further fields and their values
--
-- Returns {1 if it was done, the status that it has now}; {0, ''} where there is no such batch.
local status = redis.call('HGET', KEYS[1], 'status')
if not status then return { 0, '' } end
if not string.find(',' .. ARGV[1] .. ',', ',' .. status .. ',', 1, true) then return { 0, status } end
redis.call('HSET', KEYS[1], 'status', ARGV[2])
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], ARGV[3], redis.call('TIME')[1]) end
for at = 5, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1]) end
if ARGV[4] ~= '0' then redis.call('EXPIRE', KEYS[1], ARGV[4]) end
return { 1, ARGV[2] }
