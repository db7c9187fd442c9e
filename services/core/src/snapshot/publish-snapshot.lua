-- Publishes a routing snapshot if it differs from the one that stands, and says so to whoever listens.
--
-- KEYS[1]  state hash (keys.ts: state)
-- ARGV[1]  digest of the snapshot
-- ARGV[2]  the snapshot, RoutingSnapshot bytes
-- ARGV[3]  lowest version it may get: after a loss of data versions go on from where the publisher remembers them
-- ARGV[4]  channel (keys.ts: changes)
--
-- Returns {version, 1 if it was written}.
local state = redis.call('HMGET', KEYS[1], 'snapshotDigest', 'snapshotVersion')
local current = tonumber(state[2]) or 0
if state[1] == ARGV[1] then
  return { current, 0 }
end
local version = math.max(current + 1, tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'snapshot', ARGV[2], 'snapshotDigest', ARGV[1], 'snapshotVersion', version)
redis.call('PUBLISH', ARGV[4], 'snapshot')
return { version, 1 }
