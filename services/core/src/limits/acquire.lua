-- Takes leases out of the buckets, budgets and slots of one subject, and takes back what is left of earlier ones.
-- Nothing is ever given out twice: the sum of all leases stays within what there is.
--
-- KEYS[1]  state of the subject's buckets and budgets (keys.ts: limits.buckets)
-- KEYS[2]  its slots: replica -> `slots:expiry` (keys.ts: limits.slots)
-- ARGV[1]  replica
-- ARGV[2]  replicas that share the subject, as far as the caller knows
-- ARGV[3]  milliseconds for which the state is kept when nobody asks any more
-- ARGV[4]  revision of the state that the caller saw last, 0: none
-- ARGV[5]  epoch of that revision, empty: none
-- ARGV[6]  this server's run id as far as the caller knows, empty: it does not
-- ARGV[7]  number of units; for each of them twelve arguments follow:
--            name
--            kind: bucket, budget or slots
--            capacity
--            period: of a bucket and of a lease of slots in milliseconds; of a budget day, week, month or total
--            give: what comes back (positive), or was used without having been taken (negative); slots: those the caller keeps
--            want: less than this is of no use, 0: nothing is needed now
--            all: what all that wait need together
--            wish: so much would be good to have
--            hint: what the caller knows to have been left at most, -1: nothing. Counts when Redis has lost what the caller saw
--            extra: of a bucket what others may have used unheard, and is not given out; of slots what each of them may use,
--            heard or not; of a budget the end of the window that `give` and `hint` are of
--            hand: of a bucket what the caller keeps in hand after `give`
--            reserved: of a bucket what its requests under way were let in with and may not need
--          want, all and wish are what comes on top of what the caller has.
--
-- An epoch is the time in which Redis has lost nothing: another begins when the state is gone, or stands on a server that is
-- not the one that wrote it last (it was started again, or a replica took over, and the last writes may be missing). In the
-- new epoch each caller that saw a later revision than any known so far brings what was left then; what was given and
-- returned since the epoch began is counted on top of that (field `net`), so that the order of the callers does not matter.
--
-- Returns {now, revision, epoch, this server's run id, then for each unit: granted (slots: total), left, milliseconds until `want` can be had (-1: never;
-- -2: at any moment, for there is enough with what callers have in hand and what their requests may give back),
-- end of the window (budget; 0: never)}. Times are epoch milliseconds.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local replica, replicas = ARGV[1], math.max(1, tonumber(ARGV[2]))
local DAY = 86400000
-- What a caller had in hand counts for so long if it says nothing any more.
local HELD_MS = 600000
-- A shorter time is told as it is.
local SOON_MS = 1000

local server = ARGV[6]
if server == '' then
  local info = redis.pcall('INFO', 'server')
  server = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or 'unknown'
end

local seen = tonumber(ARGV[4])
local header = redis.call('HMGET', KEYS[1], 'revision', 'epoch', 'base')
-- `base` is the latest revision before this epoch whose state is known.
local revision, epoch, base = tonumber(header[1]) or 0, header[2], tonumber(header[3]) or 0
local begins = not epoch or string.sub(epoch, 1, #server + 1) ~= server .. ':' or (ARGV[5] == epoch and seen > revision)
if begins then
  epoch, base = server .. ':' .. time[1] .. '.' .. time[2], revision
end
local lost = ARGV[5] ~= epoch and seen > base
if lost then
  base = seen
end

local update = {}
local function text(number)
  return string.format('%.0f', number)
end
local function keep(name, value)
  update[#update + 1] = name
  update[#update + 1] = text(value)
end

-- What all that wait need, or a fair part of what is left if that is more; near the end no more than is needed.
local function lease(left, unit)
  if left <= 0 or left < unit.want then
    return 0
  end
  return math.max(math.min(left, math.max(unit.want, unit.all)), math.min(unit.wish, math.floor(left / (2 * replicas))))
end

-- As in bucket.ts.
local function refilled(units, part, at, capacity, window)
  if now <= at then
    return units, part, at
  end
  local elapsed = now - at
  local windows = math.floor(elapsed / window)
  local rest = elapsed - windows * window
  local whole = math.floor(capacity / window)
  local parts = rest * (capacity - whole * window) + part
  local more = math.floor(parts / window)
  units = units + windows * capacity + rest * whole + more
  if units >= capacity then
    return capacity, 0, now
  end
  return units, parts - more * window, now
end

-- What others than the caller have of a unit.
local function heldByOthers(unit)
  local prefix, sum = unit.name .. ':held:', 0
  local fields = redis.call('HGETALL', KEYS[1])
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, #prefix) == prefix then
      local colon = string.find(fields[i + 1], ':', 1, true)
      if tonumber(string.sub(fields[i + 1], colon + 1)) <= now then
        redis.call('HDEL', KEYS[1], fields[i])
      elseif fields[i] ~= prefix .. replica then
        sum = sum + tonumber(string.sub(fields[i + 1], 1, colon - 1))
      end
    end
  end
  return sum
end

local function bucket(unit)
  local window = tonumber(unit.period)
  local stored = redis.call('HMGET', KEYS[1], unit.name, unit.name .. ':part', unit.name .. ':at', unit.name .. ':net')
  local units, part, at = tonumber(stored[1]) or unit.capacity, tonumber(stored[2]) or 0, tonumber(stored[3]) or now
  local net = begins and 0 or tonumber(stored[4]) or 0
  units, part, at = refilled(units, part, at, unit.capacity, window)
  if lost and unit.hint > -1 and unit.hint + net < units then
    units, part = unit.hint + net, 0
  end
  units = units + unit.give
  if units >= unit.capacity then
    units, part = unit.capacity, 0
  end
  local granted = lease(units - unit.extra, unit)
  local wait = 0
  if unit.want > unit.capacity then
    wait = -1
  elseif granted < unit.want then
    wait = math.ceil(((unit.want + unit.extra - units) * window - part) / unit.capacity)
    if wait > SOON_MS and units - unit.extra + unit.reserved + heldByOthers(unit) >= unit.want then
      wait = -2
    end
  end
  local held = unit.hand + unit.reserved + granted
  if held > 0 then
    update[#update + 1] = unit.name .. ':held:' .. replica
    update[#update + 1] = text(held) .. ':' .. text(now + HELD_MS)
  else
    redis.call('HDEL', KEYS[1], unit.name .. ':held:' .. replica)
  end
  keep(unit.name, units - granted)
  keep(unit.name .. ':part', part)
  keep(unit.name .. ':at', at)
  keep(unit.name .. ':net', net + unit.give - granted)
  return granted, units - granted, wait, 0
end

-- Days since the epoch of the first of the month, `ahead` months from the one that holds `day`: the civil calendar, whose
-- years are taken to begin in March.
local function firstOfMonth(day, ahead)
  local shifted = day + 719468
  local era = math.floor(shifted / 146097)
  local ofEra = shifted - era * 146097
  local year = math.floor((ofEra - math.floor(ofEra / 1460) + math.floor(ofEra / 36524) - math.floor(ofEra / 146096)) / 365)
  local ofYear = ofEra - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local months = (era * 400 + year) * 12 + math.floor((5 * ofYear + 2) / 153) + ahead
  local y = math.floor(months / 12)
  local m = months - y * 12
  era = math.floor(y / 400)
  local yearOfEra = y - era * 400
  return era * 146097 + yearOfEra * 365 + math.floor(yearOfEra / 4) - math.floor(yearOfEra / 100)
    + math.floor((153 * m + 2) / 5) - 719468
end

-- When the window that runs now ends; 0: never.
local function windowEnd(period)
  local today = math.floor(now / DAY)
  if period == 'day' then
    return (today + 1) * DAY
  elseif period == 'week' then
    -- The epoch was a Thursday.
    return (today - (today + 3) % 7 + 7) * DAY
  elseif period == 'month' then
    return firstOfMonth(today, 1) * DAY
  end
  return 0
end

local function budget(unit)
  local ends = windowEnd(unit.period)
  local stored = redis.call('HMGET', KEYS[1], unit.name, unit.name .. ':ends', unit.name .. ':net')
  local spent, net = 0, 0
  if stored[1] and tonumber(stored[2]) == ends then
    spent, net = tonumber(stored[1]), not begins and tonumber(stored[3]) or 0
  end
  if lost and unit.hint > -1 and unit.extra == ends then
    spent = math.max(spent, unit.capacity - unit.hint - net)
  end
  -- Nothing comes back to a window that is over; what was used beyond a lease is charged to the one that runs.
  if unit.give < 0 or unit.extra == ends then
    spent, net = math.max(0, spent - unit.give), net + unit.give
  end
  local granted = lease(unit.capacity - spent, unit)
  keep(unit.name, spent + granted)
  keep(unit.name .. ':net', net - granted)
  keep(unit.name .. ':ends', ends)
  return granted, unit.capacity - spent - granted, 0, ends
end

local function slots(unit)
  local kept, others, unheard = unit.give, 0, unit.extra * (replicas - 1)
  local held = redis.call('HGETALL', KEYS[2])
  for i = 1, #held, 2 do
    local colon = string.find(held[i + 1], ':', 1, true)
    if tonumber(string.sub(held[i + 1], colon + 1)) <= now then
      redis.call('HDEL', KEYS[2], held[i])
    elseif held[i] ~= replica then
      local theirs = tonumber(string.sub(held[i + 1], 1, colon - 1))
      others = others + theirs
      unheard = unheard - math.min(theirs, unit.extra)
    end
  end
  local free = unit.capacity - others - kept
  local total = kept + lease(free - math.max(0, unheard), unit)
  if total > 0 then
    redis.call('HSET', KEYS[2], replica, text(total) .. ':' .. text(now + unit.period))
    redis.call('PEXPIRE', KEYS[2], unit.period * 2)
  else
    redis.call('HDEL', KEYS[2], replica)
  end
  return total, free + kept - total, 0, 0
end

local KINDS = { bucket = bucket, budget = budget, slots = slots }
local reply = { text(now), text(math.max(seen, revision) + 1), epoch, server }
for i = 1, tonumber(ARGV[7]) do
  local at = 8 + (i - 1) * 12
  local unit = {
    name = ARGV[at],
    capacity = tonumber(ARGV[at + 2]),
    period = ARGV[at + 3],
    give = tonumber(ARGV[at + 4]),
    want = tonumber(ARGV[at + 5]),
    all = tonumber(ARGV[at + 6]),
    wish = tonumber(ARGV[at + 7]),
    hint = tonumber(ARGV[at + 8]),
    extra = tonumber(ARGV[at + 9]),
    hand = tonumber(ARGV[at + 10]),
    reserved = tonumber(ARGV[at + 11]),
  }
  local granted, left, wait, ends = KINDS[ARGV[at + 1]](unit)
  reply[#reply + 1] = text(granted)
  reply[#reply + 1] = text(left)
  reply[#reply + 1] = text(wait)
  reply[#reply + 1] = text(ends)
end
if #update > 0 then
  redis.call('HSET', KEYS[1], 'revision', reply[2], 'epoch', epoch, 'base', text(base), unpack(update))
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return reply
