-- circuit.py in Lua, name for name: read that first. Each script of this folder is appended to it.
--
-- KEYS  1 the circuit, a hash   2 its leases, a zset of token by expiry
--       3 the namespace's version, a hash {born, number}   4 its names, a zset by version
-- ARGV  1 name   2 channel   3 policy, JSON   4... the script's own
--
-- All times are milliseconds of this server's clock.

local NAME, CHANNEL, policy = ARGV[1], ARGV[2], cjson.decode(ARGV[3])
local BUCKETS, LEASE = 10, 15000
local TRANSITIONS = {
  closed = { threshold_reached = 'open' },
  open = { open_timeout_passed = 'half_open' },
  half_open = { trial_succeeded = 'closed', trial_failed = 'open' },
}
local TEXTS = { 'state', 'reason', 'last_error' }
local NUMBERS = {
  'epoch', 'since', 'due', 'attempt', 'opened_at', 'retry_at', 'passed', 'rejected', 'width',
}

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function new()
  local circuit = { state = 'closed', reason = '', last_error = '', ring = {} }
  for _, field in ipairs(NUMBERS) do circuit[field] = 0 end
  return circuit
end

-- A bucket is stored as the four numbers of "number ok failed throttled".
local function read()
  local raw = redis.call('HGETALL', KEYS[1])
  local circuit = new()
  circuit.known = #raw > 0
  for i = 1, #raw, 2 do circuit[raw[i]] = raw[i + 1] end
  for _, field in ipairs(NUMBERS) do circuit[field] = tonumber(circuit[field]) end
  for slot = 0, BUCKETS - 1 do
    local bucket = circuit['bucket' .. slot]
    if bucket then
      local number, ok, failed, throttled = string.match(bucket, '(%d+) (%d+) (%d+) (%d+)')
      circuit.ring[slot] = {
        number = tonumber(number), ok = tonumber(ok),
        failed = tonumber(failed), throttled = tonumber(throttled),
      }
    end
  end
  return circuit
end

local circuit = read()

-- Others learn of a change by the version, and sooner by the message.
local function announce()
  redis.call('HSETNX', KEYS[3], 'born', time[1] .. '.' .. time[2])
  local version = redis.call('HINCRBY', KEYS[3], 'number', 1)
  redis.call('ZADD', KEYS[4], version, NAME)
  -- Only a hint: a user without the right to publish must not lose the change itself.
  redis.pcall('PUBLISH', CHANNEL, NAME)
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
    flat[#flat + 1] = string.format(
      '%.0f %d %d %d', bucket.number, bucket.ok, bucket.failed, bucket.throttled)
  end
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], unpack(flat))
  redis.call('PEXPIRE', KEYS[1], policy.ttl_ms)
  if not circuit.known then redis.call('ZADD', KEYS[4], 'NX', 0, NAME) end
  if circuit.changed then announce() end
end

local function total()
  local number = math.floor(now / math.max(circuit.width, 1))
  local sum = { ok = 0, failed = 0, throttled = 0 }
  for _, bucket in pairs(circuit.ring) do
    if number - BUCKETS < bucket.number and bucket.number <= number then
      sum.ok = sum.ok + bucket.ok
      sum.failed = sum.failed + bucket.failed
      sum.throttled = sum.throttled + bucket.throttled
    end
  end
  sum.failures = sum.failed + sum.throttled
  sum.calls = sum.ok + sum.failures
  return sum
end

local function opened(before)
  local healthy = before.state == 'closed' and now - before.since >= policy.window_ms
  circuit.attempt = healthy and 1 or before.attempt + 1
  -- Thirty doublings pass any cap; beyond that the power only overflows.
  local wait = policy.open_ms * policy.backoff_factor ^ math.min(circuit.attempt - 1, 30)
  wait = math.min(math.max(wait, before.retry_at - now), policy.max_open_ms)
  circuit.due = now + math.floor(wait)
  if before.opened_at == 0 then circuit.opened_at = now end
end

local function move(reason)
  local before = {
    state = circuit.state, since = circuit.since, attempt = circuit.attempt,
    retry_at = circuit.retry_at, opened_at = circuit.opened_at,
  }
  circuit.state = TRANSITIONS[circuit.state][reason]
  circuit.epoch = math.max(circuit.epoch + 1, now)
  circuit.reason, circuit.since, circuit.passed = reason, now, 0
  circuit.came_from, circuit.changed = before.state, true
  redis.call('DEL', KEYS[2])
  if circuit.state == 'open' then
    opened(before)
  elseif circuit.state == 'closed' then
    circuit.due, circuit.opened_at, circuit.retry_at, circuit.ring = 0, 0, 0, {}
  end
end

local function blame(retry_after, error)
  circuit.retry_at = math.max(circuit.retry_at, now + retry_after)
  circuit.last_error = error
end

local function prune()
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
end

local function lease(token)
  redis.call('ZADD', KEYS[2], now + LEASE, token)
  redis.call('PEXPIRE', KEYS[2], LEASE)
end

-- A clock that was set back adds nothing to the wait.
local function remaining()
  if circuit.state ~= 'open' then return 0 end
  return math.min(math.max(circuit.due - now, 0), circuit.due - circuit.since)
end

local function reply(granted)
  local sum = total()
  return {
    circuit.known and 1 or 0, circuit.state, circuit.epoch, remaining(), circuit.attempt,
    circuit.opened_at, circuit.rejected, circuit.last_error, sum.ok, sum.failed, sum.throttled,
    now, granted and 1 or 0, circuit.came_from or '', circuit.came_from and circuit.reason or '',
  }
end
