-- Adds what a replica has measured: to the slices of time that statistics are read from, and to the decayed measurements
-- that plans go by.
--
-- KEYS[1]  hash of decayed measurements (keys.ts: health.decayed), Measurements JSON
-- KEYS[2]  hash of summaries (keys.ts: health.summaries), MeasurementSummary JSON
-- KEYS[3]  hash of this minute (keys.ts: health.minuteSlice), Measurements JSON
-- KEYS[4]  hash of this quarter of an hour (keys.ts: health.quarterSlice), Measurements JSON
-- ARGV[1]  the time in epoch milliseconds; 0: the clock of Redis, as always but in tests
-- ARGV[2]  half-life of the decayed ones, milliseconds
-- ARGV[3]  how long the minute is kept, milliseconds
-- ARGV[4]  how long the quarter is kept, milliseconds
-- ARGV[5]  JSON: {`e:` and endpoint key or `m:` and model id: Measurements}
--
-- Returns {the time, [MeasurementSummary JSON of the endpoints]}.
local NOTHING = 0.001

local now = tonumber(ARGV[1])
if now == 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local halfLife = tonumber(ARGV[2])

local function read(hash, field)
  local json = redis.call('HGET', hash, field)
  return json and cjson.decode(json) or {}
end

local function addBuckets(counts, more)
  local sum = counts or {}
  for bucket, count in pairs(more or {}) do sum[bucket] = (sum[bucket] or 0) + count end
  return next(sum) and sum or nil
end

local function addCounts(to, more)
  to.successes = (to.successes or 0) + (more.successes or 0)
  to.failures = (to.failures or 0) + (more.failures or 0)
end

local function addAll(to, more)
  addCounts(to, more)
  to.ttft = addBuckets(to.ttft, more.ttft)
  to.speed = addBuckets(to.speed, more.speed)
end

local function decay(measured)
  local factor = 0.5 ^ ((now - tonumber(measured.atMs or now)) / halfLife)
  measured.successes = (measured.successes or 0) * factor
  measured.failures = (measured.failures or 0) * factor
  for _, counts in ipairs({ measured.ttft or {}, measured.speed or {} }) do
    for bucket, count in pairs(counts) do
      counts[bucket] = count * factor > NOTHING and count * factor or nil
    end
  end
end

local function median(counts)
  local buckets, weight = {}, 0
  for bucket, count in pairs(counts or {}) do
    buckets[#buckets + 1] = tonumber(bucket)
    weight = weight + count
  end
  table.sort(buckets)
  local sum = 0
  for _, bucket in ipairs(buckets) do
    sum = sum + counts[tostring(bucket)]
    if sum >= weight / 2 then return bucket, weight end
  end
  return 0, 0
end

local function summarize(key, measured)
  local attempts = measured.successes + measured.failures
  local ttft, ttftWeight = median(measured.ttft)
  local speed, speedWeight = median(measured.speed)
  return cjson.encode({
    key = key,
    atMs = measured.atMs,
    attempts = attempts,
    successRate = attempts > 0 and measured.successes / attempts or 0,
    ttftWeight = ttftWeight,
    ttftBucket = ttft,
    speedWeight = speedWeight,
    speedBucket = speed,
  })
end

local summaries = {}
for field, more in pairs(cjson.decode(ARGV[5])) do
  local minute = read(KEYS[3], field)
  addAll(minute, more)
  redis.call('HSET', KEYS[3], field, cjson.encode(minute))
  local quarter = read(KEYS[4], field)
  addCounts(quarter, more)
  redis.call('HSET', KEYS[4], field, cjson.encode(quarter))
  if string.sub(field, 1, 2) == 'e:' then
    local key = string.sub(field, 3)
    local measured = read(KEYS[1], key)
    decay(measured)
    addAll(measured, more)
    measured.atMs = string.format('%.0f', now)
    redis.call('HSET', KEYS[1], key, cjson.encode(measured))
    local summary = summarize(key, measured)
    redis.call('HSET', KEYS[2], key, summary)
    summaries[#summaries + 1] = summary
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
redis.call('PEXPIRE', KEYS[4], ARGV[4])
return { now, summaries }
