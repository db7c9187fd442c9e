-- Writes down how a line ended: once, and only for the worker that has the shard now.
--
-- KEYS[1]  the batch (keys.ts: batches.batch)
-- KEYS[2]  results of the shard (keys.ts: batches.shard)
-- ARGV[1]  the worker's epoch
-- ARGV[2]  number of the line
-- ARGV[3]  the result: `o` (output) or `e` (error), then the line of that file
-- ARGV[4], ARGV[5], ARGV[6], ARGV[7]  tokens: input, cached input, output, reasoning
--
-- Returns {outcome, status of the batch}. Outcome 1: written; 0: refused, the shard is another's, the line has its result, or the
-- batch's files are being made;
-- 2: written, and no line of the batch is left: it is finalizing now.
local batch = redis.call('HMGET', KEYS[1], 'status', 'sealed')
local status = batch[1] or ''
if redis.call('HGET', KEYS[2], 'epoch') ~= ARGV[1] then return { 0, status } end
-- What was under way when a batch was cancelled is still its result, until its files are made.
if batch[2] or (status ~= 'in_progress' and status ~= 'cancelling') then return { 0, status } end
if redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[3]) == 0 then return { 0, status } end
local ok = string.sub(ARGV[3], 1, 1) == 'o'
redis.call('HINCRBY', KEYS[1], ok and 'completed' or 'failed', 1)
for at, name in ipairs({ 'inputTokens', 'cachedTokens', 'outputTokens', 'reasoningTokens' }) do
  if ARGV[at + 3] ~= '0' then redis.call('HINCRBY', KEYS[1], name, ARGV[at + 3]) end
end
local counts = redis.call('HMGET', KEYS[1], 'completed', 'failed', 'total')
local over = (tonumber(counts[1]) or 0) + (tonumber(counts[2]) or 0) >= (tonumber(counts[3]) or 0)
if not over or status ~= 'in_progress' then return { 1, status } end
redis.call('HSET', KEYS[1], 'status', 'finalizing', 'sealed', '1', 'finalizingAt', redis.call('TIME')[1])
return { 2, 'finalizing' }
