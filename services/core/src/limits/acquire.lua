-- Takes leases out of the buckets, budgets and slots of one subject, and takes back what is left of earlier ones.
-- Nothing is ever given out twice: the sum of all leases stays within what a bucket holds.
--
-- KEYS[1]  state of the subject's buckets and budgets (keys.ts: limits.buckets)
-- KEYS[2]  its slots: replica -> `slots:expiry` (keys.ts: limits.slots)
-- ARGV[1]  replica
-- ARGV[2]  replicas that share the subject, as far as the caller knows
-- ARGV[3]  milliseconds for which the state is kept when nobody asks any more
-- ARGV[4]  number of units; for each of them nine arguments follow:
--            name
--            kind: bucket, budget or slots
--            capacity
--            bucket: refill per millisecond; slots: lifetime of a lease, milliseconds; budget: begin of its window, epoch ms
--            give: what comes back (positive), or was used without having been taken (negative); slots: those in use
--            want: at least so much is needed, 0: nothing (slots: the total, with those in use)
--            wish: so much would be good
--            hint: what the caller last knew to be left, -1: nothing. Counts while the state is young: Redis has lost it.
--            window of what comes back (budget)
--
-- Returns {now, then for each unit: granted (slots: the new total), left, milliseconds until `want` can be had (-1: never)}.
local YOUNG_MS = 10000
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local replica, replicas = ARGV[1], math.max(1, tonumber(ARGV[2]))
local reply = { now }
local fresh = redis.call('EXISTS', KEYS[1]) == 0
local born = fresh and now or tonumber(redis.call('HGET', KEYS[1], 'born') or now)
local update = { 'born', string.format('%.0f', born) }
local function text(number)
  return string.format('%.17g', number)
end
local function answer(granted, left, wait)
  reply[#reply + 1] = string.format('%.0f', math.floor(granted))
  reply[#reply + 1] = string.format('%.0f', math.floor(left))
  reply[#reply + 1] = string.format('%.0f', wait)
end
-- A lease is a fair part of what is left; near the end no more than is needed.
local function lease(left, want, wish)
  if want <= 0 or left < want then
    return 0
  end
  return math.min(left, math.max(want, math.min(wish, math.floor(left / (2 * replicas)))))
end

for i = 1, tonumber(ARGV[4]) do
  local at = 5 + (i - 1) * 9
  local name, kind = ARGV[at], ARGV[at + 1]
  local capacity, pace = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local give, want, wish, hint = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6]), tonumber(ARGV[at + 7])
  if kind == 'slots' then
    local others = 0
    local held = redis.call('HGETALL', KEYS[2])
    for j = 1, #held, 2 do
      local colon = string.find(held[j + 1], ':', 1, true)
      if tonumber(string.sub(held[j + 1], colon + 1)) <= now then
        redis.call('HDEL', KEYS[2], held[j])
      elseif held[j] ~= replica then
        others = others + tonumber(string.sub(held[j + 1], 1, colon - 1))
      end
    end
    local free = math.max(0, capacity - others)
    local mine = math.min(free, math.max(want, math.min(wish, give + math.floor((free - give) / (2 * replicas)))))
    mine = math.max(mine, math.min(give, free))
    if mine > 0 then
      redis.call('HSET', KEYS[2], replica, string.format('%.0f:%.0f', mine, now + pace))
      redis.call('PEXPIRE', KEYS[2], pace * 2)
    else
      redis.call('HDEL', KEYS[2], replica)
    end
    answer(mine, free - mine, 0)
  elseif kind == 'budget' then
    local stored = redis.call('HMGET', KEYS[1], name, name .. ':window')
    local window = math.max(pace, tonumber(stored[2]) or 0)
    local spent = 0
    if stored[1] and tonumber(stored[2]) == window then
      spent = tonumber(stored[1])
    end
    -- A hint is what was left in the window that runs.
    if hint >= 0 and now - born < YOUNG_MS and pace == window then
      spent = math.max(spent, capacity - hint)
    end
    if give < 0 or tonumber(ARGV[at + 8]) == window then
      spent = math.max(0, spent - give)
    end
    local granted = lease(capacity - spent, want, wish)
    spent = spent + granted
    update[#update + 1] = name
    update[#update + 1] = text(spent)
    update[#update + 1] = name .. ':window'
    update[#update + 1] = string.format('%.0f', window)
    answer(granted, capacity - spent, 0)
  else
    local stored = redis.call('HMGET', KEYS[1], name, name .. ':at')
    local level = tonumber(stored[1]) or capacity
    local since = tonumber(stored[2]) or now
    level = math.min(capacity, level + math.max(0, now - since) * pace)
    if hint >= 0 and now - born < YOUNG_MS then
      level = math.min(level, hint)
    end
    level = math.min(capacity, level + give)
    local granted = lease(level, want, wish)
    level = level - granted
    local wait = 0
    if want > capacity then
      wait = -1
    elseif want > 0 and granted == 0 then
      wait = math.ceil((want - level) / pace)
    end
    update[#update + 1] = name
    update[#update + 1] = text(level)
    update[#update + 1] = name .. ':at'
    update[#update + 1] = string.format('%.0f', math.max(now, since))
    answer(granted, level, wait)
  end
end
if #update > 2 then
  redis.call('HSET', KEYS[1], unpack(update))
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return reply
