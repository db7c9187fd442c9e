-- Reads some fields of many slices of time in one command.
--
-- KEYS     hashes of slices (keys.ts: health.minuteSlice, health.quarterSlice)
-- ARGV     fields
--
-- Returns for each slice [for each field Measurements JSON or nil].
local slices = {}
for at, key in ipairs(KEYS) do slices[at] = redis.call('HMGET', key, unpack(ARGV)) end
return slices
