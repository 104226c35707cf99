-- ARGV  5 epoch   6 ok   7 failed   8 throttled   9 slow   10 streak   11 rejected
--       12 host   13 retry_after   14 error
local epoch, rejected, host = tonumber(ARGV[5]), tonumber(ARGV[11]), ARGV[12]
local tally = {
  ok = tonumber(ARGV[6]), failed = tonumber(ARGV[7]), throttled = tonumber(ARGV[8]),
  slow = tonumber(ARGV[9]), streak = tonumber(ARGV[10]),
}
local failures = tally.failed + tally.throttled

local function counts()
  if circuit.override == '' then return circuit.state == 'closed' end
  return circuit.override == 'metrics_only'
end

-- Processes may have to differ on the width for a while, and must not erase each other.
local function set_width(width)
  if circuit.width == width then return end
  local sum, number = total(), math.floor(now / width)
  sum.number, circuit.width, circuit.ring = number, width, { [number % BUCKETS] = sum }
end

local function count()
  local width = math.max(math.floor(policy.window_ms / BUCKETS), 1)
  set_width(width)
  local number = math.floor(now / width)
  local slot = number % BUCKETS
  local bucket = circuit.ring[slot]
  if not bucket or bucket.number ~= number then
    bucket = { number = number, ok = 0, failed = 0, throttled = 0, slow = 0, streak = 0 }
    circuit.ring[slot] = bucket
  end
  bucket.streak = tally.ok > 0 and tally.streak or bucket.streak + tally.streak
  for _, outcome in ipairs({ 'ok', 'failed', 'throttled', 'slow' }) do
    bucket[outcome] = bucket[outcome] + tally[outcome]
  end
  add_to_totals(tally)
end

-- One host is always enough for a quorum of one, and need not be noted.
local function accuse()
  if policy.trip_quorum == 1 then return end
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - policy.window_ms)
  redis.call('ZADD', KEYS[3], now, host)
  redis.call('PEXPIRE', KEYS[3], policy.window_ms)
end

local function is_quorate()
  return policy.trip_quorum == 1 or redis.call('ZCARD', KEYS[3]) >= policy.trip_quorum
end

local function too_many_failed(sum)
  if policy.consecutive then return sum.streak >= policy.failure_threshold end
  return sum.failures >= policy.failure_threshold
    and sum.failures >= policy.failure_rate * sum.calls
end

local function tripped(sum)
  if sum.calls < policy.minimum_calls then return nil end
  if too_many_failed(sum) then return 'threshold_reached' end
  if sum.slow >= policy.failure_threshold and sum.slow >= policy.slow_rate * sum.calls then
    return 'slow_rate_reached'
  end
  return nil
end

if epoch > circuit.epoch then return reply() end
circuit.rejected = circuit.rejected + rejected
local calls = tally.ok + failures + tally.slow
if not woke() and epoch == circuit.epoch and calls > 0 and counts() then
  count()
  if failures + tally.slow > 0 then accuse() end
  if failures > 0 then blame(tonumber(ARGV[13]), ARGV[14]) end
  local reason = tripped(total())
  if reason and circuit.override == '' and is_quorate() then move(reason) end
end
save()
return reply()
