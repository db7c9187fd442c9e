-- What a replica may have missed, in one command; and forgets what nobody speaks of any more.
--
-- KEYS[1]  hash of breakers (keys.ts: health.breakers), BreakerState JSON
-- KEYS[2]  newest version of any of them (keys.ts: health.version)
-- KEYS[3]  hash of summaries (keys.ts: health.summaries), MeasurementSummary JSON
-- KEYS[4]  hash of decayed measurements (keys.ts: health.decayed)
-- ARGV[1]  version that the replica knows; -1: none, all breakers are wanted
-- ARGV[2]  1: the summaries are wanted, too
--
-- Returns {the time in epoch milliseconds, version, 1 if breakers follow, [BreakerState JSON], [MeasurementSummary JSON]}.
local BREAKER_KEEP_MS, MEASURED_KEEP_MS = 86400000, 3600000

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local version = redis.call('GET', KEYS[2]) or '0'
local breakers, summaries, full = {}, {}, 0

if version ~= ARGV[1] then
  full = 1
  local entries = redis.call('HGETALL', KEYS[1])
  for at = 1, #entries, 2 do
    local state = cjson.decode(entries[at + 1])
    local used = 0
    for _, name in ipairs({ 'countedAtMs', 'openUntilMs', 'coolUntilMs', 'permitUntilMs' }) do
      used = math.max(used, tonumber(state[name] or 0))
    end
    if used < now - BREAKER_KEEP_MS then
      redis.call('HDEL', KEYS[1], entries[at])
    else
      breakers[#breakers + 1] = entries[at + 1]
    end
  end
end

if ARGV[2] == '1' then
  local entries = redis.call('HGETALL', KEYS[3])
  for at = 1, #entries, 2 do
    if tonumber(cjson.decode(entries[at + 1]).atMs or 0) < now - MEASURED_KEEP_MS then
      redis.call('HDEL', KEYS[3], entries[at])
      redis.call('HDEL', KEYS[4], entries[at])
    else
      summaries[#summaries + 1] = entries[at + 1]
    end
  end
end
return { now, version, full, breakers, summaries }
