-- circuit.py in Lua, name for name: read that first. Each script of this folder is appended to it.
--
-- KEYS  1 the circuit, a hash   2 its leases, a zset of token by expiry
--       3 its accusers, a zset of host by time
--       4 the namespace's version, a hash {born, number}   5 its names, a zset by version
-- ARGV  1 name   2 channel   3 policy, JSON   4 chance   5... the script's own
--
-- All times are milliseconds of this server's clock.

local NAME, CHANNEL, policy, chance = ARGV[1], ARGV[2], cjson.decode(ARGV[3]), tonumber(ARGV[4])
local BUCKETS, LEASE, PATIENCE = 10, 15000, 3
local TRANSITIONS = {
  closed = { threshold_reached = 'open', slow_rate_reached = 'open' },
  open = { open_timeout_passed = 'half_open' },
  half_open = { trial_succeeded = 'closed', trial_failed = 'open', trials_abandoned = 'open' },
}
local OVERRIDES = {
  open = 'forced_open', disable = 'disabled', ['metrics-only'] = 'metrics_only',
}
local WORDS = { [''] = true, forced_open = true, disabled = true, metrics_only = true }
local TEXTS = { 'state', 'override', 'came_from', 'reason', 'actor', 'last_error' }
local NUMBERS = {
  'epoch', 'override_until', 'since', 'due', 'attempt', 'opened_at', 'retry_at', 'passed',
  'abandoned', 'rejected', 'width', 'all_ok', 'all_failed', 'all_throttled', 'all_slow',
}

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function new()
  local circuit = { ring = {} }
  for _, field in ipairs(TEXTS) do circuit[field] = '' end
  for _, field in ipairs(NUMBERS) do circuit[field] = 0 end
  circuit.state = 'closed'
  return circuit
end

-- A bucket is stored as the six numbers of "number ok failed throttled slow streak".
local function bucket_of(text)
  local words = {}
  for word in string.gmatch(text or '', '%d+') do words[#words + 1] = tonumber(word) end
  if #words ~= 6 then return nil end
  return {
    number = words[1], ok = words[2], failed = words[3],
    throttled = words[4], slow = words[5], streak = words[6],
  }
end

-- Nil if something else is kept under the key.
local function read()
  local raw = redis.call('HGETALL', KEYS[1])
  local circuit = new()
  circuit.known = #raw > 0
  if circuit.known then circuit.state = nil end
  for i = 1, #raw, 2 do circuit[raw[i]] = raw[i + 1] end
  if not TRANSITIONS[circuit.state] or not WORDS[circuit.override] then return nil end
  for _, field in ipairs(NUMBERS) do
    circuit[field] = tonumber(circuit[field])
    if not circuit[field] then return nil end
  end
  for slot = 0, BUCKETS - 1 do circuit.ring[slot] = bucket_of(circuit['bucket' .. slot]) end
  return circuit
end

local circuit = read()
if not circuit then return redis.error_reply('WRONGTYPE This is no circuit.') end

-- Others learn of a change by the version, and sooner by the message.
local function announce()
  redis.call('HSETNX', KEYS[4], 'born', time[1] .. '.' .. time[2])
  local version = redis.call('HINCRBY', KEYS[4], 'number', 1)
  redis.call('ZADD', KEYS[5], version, NAME)
  -- Only a hint: a user without the right to publish must not lose the change itself.
  redis.pcall('PUBLISH', CHANNEL, NAME)
end

-- What never moved is soon nothing to remember; an override without end is kept without end.
local function keep()
  if circuit.override ~= '' and circuit.override_until == 0 then
    return redis.call('PERSIST', KEYS[1])
  end
  local ttl = circuit.epoch > 0 and policy.ttl_ms or 2 * policy.window_ms
  return redis.call('PEXPIRE', KEYS[1], math.max(ttl, circuit.override_until - now + policy.ttl_ms))
end

local function save()
  local flat = {}
  for _, field in ipairs(TEXTS) do flat[#flat + 1] = field; flat[#flat + 1] = circuit[field] end
  for _, field in ipairs(NUMBERS) do
    flat[#flat + 1] = field
    flat[#flat + 1] = string.format('%.0f', circuit[field])
  end
  for slot, bucket in pairs(circuit.ring) do
    flat[#flat + 1] = 'bucket' .. slot
    flat[#flat + 1] = string.format('%.0f %d %d %d %d %d', bucket.number, bucket.ok,
      bucket.failed, bucket.throttled, bucket.slow, bucket.streak)
  end
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], unpack(flat))
  keep()
  if not circuit.known then redis.call('ZADD', KEYS[5], 'NX', 0, NAME) end
  if circuit.moved then announce() end
end

local function total()
  local number = math.floor(now / math.max(circuit.width, 1))
  local recent = {}
  for _, bucket in pairs(circuit.ring) do
    if number - BUCKETS < bucket.number and bucket.number <= number then
      recent[#recent + 1] = bucket
    end
  end
  table.sort(recent, function(one, other) return one.number < other.number end)
  local sum = { ok = 0, failed = 0, throttled = 0, slow = 0, streak = 0 }
  for _, bucket in ipairs(recent) do
    sum.streak = bucket.ok > 0 and bucket.streak or sum.streak + bucket.streak
    for _, count in ipairs({ 'ok', 'failed', 'throttled', 'slow' }) do
      sum[count] = sum[count] + bucket[count]
    end
  end
  sum.failures = sum.failed + sum.throttled
  sum.calls = sum.ok + sum.failures + sum.slow
  return sum
end

local function word()
  return circuit.override ~= '' and circuit.override or circuit.state
end

local function turn(state, reason, actor)
  circuit.came_from = word()
  circuit.state, circuit.override, circuit.override_until = state, '', 0
  circuit.epoch = math.max(circuit.epoch + 1, now)
  circuit.reason, circuit.actor, circuit.since = reason, actor, now
  circuit.passed, circuit.abandoned, circuit.moved = 0, 0, true
  redis.call('DEL', KEYS[2], KEYS[3])
end

local function opened(before)
  local healthy = before.state == 'closed' and now - before.since >= policy.window_ms
  circuit.attempt = healthy and 1 or circuit.attempt + 1
  -- Thirty doublings pass any cap; beyond that the power only overflows.
  local wait = policy.open_ms * policy.backoff_factor ^ math.min(circuit.attempt - 1, 30)
  wait = wait * (1 + policy.jitter_share * chance)
  wait = math.min(math.max(wait, circuit.retry_at - now), policy.max_open_ms)
  circuit.due = now + math.floor(wait)
  if circuit.opened_at == 0 then circuit.opened_at = now end
end

local function closed()
  circuit.due, circuit.opened_at, circuit.retry_at, circuit.ring = 0, 0, 0, {}
end

local function move(reason)
  local before = { state = circuit.state, since = circuit.since }
  turn(TRANSITIONS[circuit.state][reason], reason, '')
  if circuit.state == 'open' then opened(before) end
  if circuit.state == 'closed' then closed() end
end

-- Whether the time of an override was over, and so ended now, or has to be reckoned anew.
local function woke()
  if circuit.override_until == 0 then return false end
  if now < circuit.since then
    -- The clock was set back: what was left of the override begins anew.
    circuit.override_until = now + circuit.override_until - circuit.since
    circuit.since = now
    return true
  end
  if now < circuit.override_until then return false end
  turn(circuit.state, 'override_expired', '')
  return true
end

local function blame(retry_after, error)
  circuit.retry_at = math.max(circuit.retry_at, now + retry_after)
  circuit.last_error = error
end

local function add_to_totals(outcomes)
  for _, count in ipairs({ 'ok', 'failed', 'throttled', 'slow' }) do
    circuit['all_' .. count] = circuit['all_' .. count] + (outcomes[count] or 0)
  end
end

-- How many permits lapsed.
local function prune()
  local lapsed = redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
  -- One that seems to last longer than any was given before the clock was set back.
  lapsed = lapsed + redis.call('ZREMRANGEBYSCORE', KEYS[2], '(' .. now + LEASE, '+inf')
  circuit.abandoned = circuit.abandoned + lapsed
  return lapsed
end

local function lease(token)
  redis.call('ZADD', KEYS[2], now + LEASE, token)
  -- It lasts longer than its leases, so that they are found to have lapsed.
  redis.call('PEXPIRE', KEYS[2], policy.ttl_ms)
end

-- A clock that was set back adds nothing to the wait.
local function remaining()
  if circuit.state ~= 'open' then return 0 end
  return math.max(math.min(circuit.due - now, circuit.due - circuit.since), 0)
end

local function override_remaining()
  if circuit.override_until == 0 then return 0 end
  return math.max(circuit.override_until - now, 1)
end

local function reply(granted)
  local sum = total()
  return {
    circuit.known and 1 or 0, circuit.state, circuit.override, override_remaining(),
    circuit.epoch, remaining(), circuit.attempt, circuit.opened_at, circuit.rejected,
    circuit.last_error, sum.ok, sum.failed, sum.throttled, sum.slow,
    circuit.all_ok, circuit.all_failed, circuit.all_throttled, circuit.all_slow,
    now, granted and 1 or 0, circuit.moved and 1 or 0,
    circuit.came_from, circuit.reason, circuit.actor, circuit.since,
  }
end
