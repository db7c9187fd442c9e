-- Adds generations to the sums of their principals, each generation once, however often it is told.
--
-- KEYS[1]  generations of ten minutes: id -> UsageRecord bytes (keys.ts: ledger.generations)
-- KEYS[2], KEYS[3], ...  hashes of sums: dimensions -> measures, joined by commas (keys.ts: ledger.sums, ledger.total)
-- ARGV[1]  seconds for which generations are kept
-- ARGV[2]  seconds for which a new hash of sums is kept, in the order of KEYS[2], ..., joined by commas; 0: for ever
-- ARGV[3]  most rows in one hash; what has other dimensions is added to the row named in ARGV[4]
-- ARGV[4]  name of that row
-- ARGV[5]  number of generations; for each of them four arguments follow:
--            id, bytes, measures joined by commas,
--            targets: `key index=dimensions` of each hash it is added to, joined by newlines
--
-- The measures named costRest and marketRest (8th and 10th) carry over into those before them at 10^12.
-- Returns the number of generations that were new.
local REST = 1000000000000
local function split(text, separator)
  local parts = {}
  for part in string.gmatch(text, '[^' .. separator .. ']+') do
    parts[#parts + 1] = part
  end
  return parts
end
local function plus(a, b)
  for i = 1, 10 do
    a[i] = (a[i] or 0) + (tonumber(b[i]) or 0)
  end
  for i = 8, 10, 2 do
    if a[i] >= REST then
      a[i - 1] = a[i - 1] + math.floor(a[i] / REST)
      a[i] = a[i] % REST
    end
  end
  return a
end

-- Not tostring: from 10^14 on it writes fewer digits than there are.
local function join(values)
  local texts = {}
  for i = 1, 10 do
    texts[i] = string.format('%.0f', values[i])
  end
  return table.concat(texts, ',')
end

local count = tonumber(ARGV[5])
local ids = {}
for i = 1, count do
  ids[i] = ARGV[6 + (i - 1) * 4]
end
local known = redis.call('HMGET', KEYS[1], unpack(ids))
local write, rows, new, told = {}, {}, 0, {}
for i = 1, count do
  local base = 6 + (i - 1) * 4
  local id = ids[i]
  if not known[i] and not told[id] then
    told[id] = true
    new = new + 1
    write[#write + 1] = id
    write[#write + 1] = ARGV[base + 1]
    local measures = split(ARGV[base + 2], ',')
    for _, target in ipairs(split(ARGV[base + 3], '\n')) do
      local at = string.find(target, '=', 1, true)
      local key = tonumber(string.sub(target, 1, at - 1))
      local dimensions = string.sub(target, at + 1)
      rows[key] = rows[key] or {}
      rows[key][dimensions] = plus(rows[key][dimensions] or {}, measures)
    end
  end
end
if new == 0 then
  return 0
end

if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], unpack(write))
  redis.call('EXPIRE', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], unpack(write))
end
local lifetimes = split(ARGV[2], ',')
for key, sums in pairs(rows) do
  local name = KEYS[key]
  local length = redis.call('HLEN', name)
  local fields = {}
  for dimensions in pairs(sums) do
    fields[#fields + 1] = dimensions
  end
  local stored = redis.call('HMGET', name, unpack(fields))
  local overflow
  local update = {}
  for i, dimensions in ipairs(fields) do
    if stored[i] then
      update[#update + 1] = dimensions
      update[#update + 1] = join(plus(split(stored[i], ','), sums[dimensions]))
    elseif length < tonumber(ARGV[3]) then
      length = length + 1
      update[#update + 1] = dimensions
      update[#update + 1] = join(sums[dimensions])
    else
      overflow = plus(overflow or {}, sums[dimensions])
    end
  end
  if overflow then
    local before = redis.call('HGET', name, ARGV[4])
    local sum = before and plus(split(before, ','), overflow) or overflow
    update[#update + 1] = ARGV[4]
    update[#update + 1] = join(sum)
  end
  redis.call('HSET', name, unpack(update))
  local lifetime = tonumber(lifetimes[key - 1])
  if lifetime > 0 and redis.call('TTL', name) < 0 then
    redis.call('EXPIRE', name, lifetime)
  end
end
return new
