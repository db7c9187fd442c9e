-- Circuit breakers of endpoints: the state machine of breaker.ts inside Redis, where it decides for all replicas.
-- Whole numbers and plain multiplications only, so that both compute the same (breaker-agreement.test.ts).
--
-- KEYS[1]  hash of breakers (keys.ts: health.breakers), BreakerState JSON
-- KEYS[2]  newest version of any of them (keys.ts: health.version)
-- ARGV[1]  the time in epoch milliseconds; 0: the clock of Redis, as always but in tests
-- ARGV[2]  channel (keys.ts: health.changes), gets a BreakerChange
-- ARGV[3]  policy: consecutiveFailures
-- ARGV[4]  policy: failureRatio
-- ARGV[5]  policy: minimumRequests
-- ARGV[6]  policy: windowMs
-- ARGV[7]  policy: cooldownMs
-- ARGV[8]  policy: maxCooldownMs
-- ARGV[9]  events in order, JSON: [[key, kind, count, epoch, permit, milliseconds], ...], as breaker.ts describes them;
--          of `restore` [key, kind, BreakerState]
--
-- Returns {the time, permit that the last `acquire` gave or 0, BreakerChange JSON or ''}.
local MICRO = 1000000
local LONGEST_RETRY_AFTER_MS = 3600000
local RATE_LIMIT_FIRST_MS, RATE_LIMIT_CAP_MS = 1000, 30000
local DECAY_STEPS, DECAY, DECAYED_AWAY = 8, 0.9170040432046712, 400
local KEEP_MS = 86400000

local LONG = {
  'epoch', 'openedAtMs', 'openUntilMs', 'failuresMicro', 'successesMicro', 'countedAtMs', 'coolUntilMs', 'permit',
  'permitUntilMs', 'version',
}
local SHORT = { 'cooldownMs', 'consecutiveFailures', 'rateLimits' }
local VISIBLE = { 'open', 'epoch', 'openUntilMs', 'coolUntilMs', 'permit', 'permitUntilMs' }

local now = tonumber(ARGV[1])
if now == 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local policy = {
  consecutiveFailures = tonumber(ARGV[3]),
  failureRatio = tonumber(ARGV[4]),
  minimumRequests = tonumber(ARGV[5]),
  windowMs = tonumber(ARGV[6]),
  cooldownMs = tonumber(ARGV[7]),
  maxCooldownMs = tonumber(ARGV[8]),
}

local function fromMessage(stored)
  local state = { open = stored.open or false }
  for _, name in ipairs(LONG) do state[name] = tonumber(stored[name] or 0) end
  for _, name in ipairs(SHORT) do state[name] = stored[name] or 0 end
  return state
end

local function read(json) return fromMessage(json and cjson.decode(json) or {}) end

-- Canonical proto JSON: 64 bits as text, nothing that is zero.
local function toMessage(key, state)
  local message = { key = key }
  if state.open then message.open = true end
  for _, name in ipairs(LONG) do
    if state[name] ~= 0 then message[name] = string.format('%.0f', state[name]) end
  end
  for _, name in ipairs(SHORT) do
    if state[name] ~= 0 then message[name] = state[name] end
  end
  return message
end

local function following(last) return math.max(last + 1, now) end
local function isLate(state, epoch) return state.epoch ~= 0 and epoch ~= state.epoch end
local function holds(state, permit)
  return permit ~= 0 and permit == state.permit and state.permitUntilMs > now
end

local function decay(state)
  if state.failuresMicro == 0 and state.successesMicro == 0 then
    state.countedAtMs = now
    return
  end
  local stepMs = math.max(1, math.floor(policy.windowMs / DECAY_STEPS))
  local steps = math.floor((now - state.countedAtMs) / stepMs)
  if steps <= 0 then return end
  if steps > DECAYED_AWAY then
    state.failuresMicro, state.successesMicro, state.countedAtMs = 0, 0, now
    return
  end
  for _ = 1, steps do
    state.failuresMicro = math.floor(state.failuresMicro * DECAY)
    state.successesMicro = math.floor(state.successesMicro * DECAY)
  end
  state.countedAtMs = state.countedAtMs + steps * stepMs
end

local function cool(state, forMs)
  local coolUntil = now + math.min(forMs, LONGEST_RETRY_AFTER_MS)
  if forMs <= 0 or coolUntil <= state.coolUntilMs then return end
  state.coolUntilMs = coolUntil
  if state.open then state.openUntilMs = math.max(state.openUntilMs, coolUntil) end
end

local function open(state)
  local cooldown = policy.cooldownMs
  if state.open then cooldown = math.min(state.cooldownMs * 2, policy.maxCooldownMs) end
  state.open = true
  state.epoch = following(state.epoch)
  state.openedAtMs = now
  state.openUntilMs = math.max(state.openUntilMs, now + cooldown, state.coolUntilMs)
  state.cooldownMs = cooldown
  state.permitUntilMs = 0
end

local function isTooMuch(state)
  if state.consecutiveFailures >= policy.consecutiveFailures then return true end
  local total = state.failuresMicro + state.successesMicro
  return total >= policy.minimumRequests * MICRO and state.failuresMicro >= policy.failureRatio * total
end

local apply = {}

function apply.success(state, count, epoch)
  if isLate(state, epoch) then return end
  if state.open then
    state.open = false
    state.epoch = following(state.epoch)
    state.openedAtMs, state.openUntilMs, state.cooldownMs = 0, 0, 0
    state.consecutiveFailures, state.failuresMicro = 0, 0
    state.successesMicro, state.countedAtMs = count * MICRO, now
    state.permitUntilMs = 0
    return
  end
  decay(state)
  state.consecutiveFailures = 0
  state.successesMicro = state.successesMicro + count * MICRO
  if now >= state.coolUntilMs then state.rateLimits = 0 end
end

function apply.failure(state, count, epoch, permit, retryAfterMs)
  cool(state, retryAfterMs)
  if state.open then
    if holds(state, permit) then open(state) end
    return
  end
  if isLate(state, epoch) then return end
  decay(state)
  state.consecutiveFailures = state.consecutiveFailures + count
  state.failuresMicro = state.failuresMicro + count * MICRO
  if isTooMuch(state) then open(state) end
end

function apply.rate_limited(state, _, _, permit, retryAfterMs)
  if holds(state, permit) then state.permitUntilMs = 0 end
  if retryAfterMs > 0 then
    cool(state, retryAfterMs)
  elseif now >= state.coolUntilMs then
    local forMs = math.min(RATE_LIMIT_FIRST_MS * 2 ^ math.min(state.rateLimits, 10), RATE_LIMIT_CAP_MS)
    state.rateLimits = state.rateLimits + 1
    cool(state, forMs)
  end
end

function apply.cool(state, _, _, _, forMs) cool(state, forMs) end

-- Returns the permit.
function apply.acquire(state, _, _, permit, leaseMs)
  if not state.open then return 0 end
  if permit ~= 0 then
    if not holds(state, permit) then return 0 end
    state.permitUntilMs = math.max(state.permitUntilMs, now + leaseMs)
    return permit
  end
  if now < state.openUntilMs or state.permitUntilMs > now then return 0 end
  state.permit = following(state.permit)
  state.permitUntilMs = now + leaseMs
  return state.permit
end

function apply.release(state, _, _, permit)
  if holds(state, permit) then state.permitUntilMs = 0 end
end

function apply.restore(state, message)
  local known, older = fromMessage(message), {}
  for name, value in pairs(state) do older[name] = value end
  if known.epoch > state.epoch then
    for name, value in pairs(known) do
      if name ~= 'version' then state[name] = value end
    end
  else
    older = known
  end
  state.coolUntilMs = math.max(state.coolUntilMs, older.coolUntilMs)
  state.rateLimits = math.max(state.rateLimits, older.rateLimits)
  if state.open then
    state.openUntilMs = math.max(state.openUntilMs, older.open and older.openUntilMs or 0, state.coolUntilMs)
  end
end

local states, before, order, granted = {}, {}, {}, 0
for _, event in ipairs(cjson.decode(ARGV[9])) do
  local key, kind = event[1], event[2]
  if not states[key] then
    local stored = redis.call('HGET', KEYS[1], key)
    states[key], before[key] = read(stored), read(stored)
    order[#order + 1] = key
  end
  local given = apply[kind](states[key], event[3], event[4], event[5], event[6])
  if kind == 'acquire' then granted = given end
end

local previous = tonumber(redis.call('GET', KEYS[2]) or 0)
local version, changed = previous, {}
for _, key in ipairs(order) do
  local state, looksDifferent, differs = states[key], false, false
  for _, name in ipairs(VISIBLE) do looksDifferent = looksDifferent or state[name] ~= before[key][name] end
  if looksDifferent then
    version = following(version)
    state.version = version
    changed[#changed + 1] = toMessage(key, state)
  end
  for name, value in pairs(state) do differs = differs or value ~= before[key][name] end
  if differs then redis.call('HSET', KEYS[1], key, cjson.encode(toMessage(key, state))) end
end
redis.call('PEXPIRE', KEYS[1], KEEP_MS)
local message = ''
if #changed > 0 then
  redis.call('SET', KEYS[2], string.format('%.0f', version), 'PX', KEEP_MS)
  message = cjson.encode({
    previousVersion = string.format('%.0f', previous),
    version = string.format('%.0f', version),
    states = changed,
  })
  redis.call('PUBLISH', ARGV[2], message)
end
return { now, granted, message }
