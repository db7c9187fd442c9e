-- Gives a worker the right to a shard and takes it from whoever had it: results of an older epoch are refused.
--
-- KEYS[1]  the batch (keys.ts: batches.batch)
-- KEYS[2]  results of the shard (keys.ts: batches.shard): line number -> result, `epoch`
-- ARGV[1]  seconds for which the results are kept
--
-- Returns {epoch, status of the batch, numbers of the lines that have a result}; {0, status, {}} where nothing is to be done:
-- the batch is not in progress, its files are being made, or it is gone ('').
local batch = redis.call('HMGET', KEYS[1], 'status', 'sealed')
local status = batch[1] or ''
if status ~= 'in_progress' or batch[2] then return { 0, status, {} } end
local epoch = redis.call('HINCRBY', KEYS[2], 'epoch', 1)
redis.call('EXPIRE', KEYS[2], ARGV[1])
local lines = {}
for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
  if field ~= 'epoch' then lines[#lines + 1] = field end
end
return { epoch, status, lines }
