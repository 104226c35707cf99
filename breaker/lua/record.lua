-- ARGV  4 epoch   5 ok   6 failed   7 throttled   8 rejected   9 retry_after   10 error
local epoch = tonumber(ARGV[4])
local ok, failed, throttled = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local rejected, retry_after, error = tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10]

local function count()
  local width = math.max(math.floor(policy.window_ms / BUCKETS), 1)
  if circuit.width ~= width then circuit.width, circuit.ring = width, {} end
  local number = math.floor(now / width)
  local slot = number % BUCKETS
  local bucket = circuit.ring[slot]
  if not bucket or bucket.number ~= number then
    bucket = { number = number, ok = 0, failed = 0, throttled = 0 }
    circuit.ring[slot] = bucket
  end
  bucket.ok = bucket.ok + ok
  bucket.failed = bucket.failed + failed
  bucket.throttled = bucket.throttled + throttled
end

local function tripped(sum)
  return sum.failures >= policy.failure_threshold
    and sum.calls >= policy.minimum_calls
    and sum.failures >= policy.failure_rate * sum.calls
end

if epoch > circuit.epoch then return reply() end
circuit.rejected = circuit.rejected + rejected
if epoch == circuit.epoch and circuit.state == 'closed' and ok + failed + throttled > 0 then
  count()
  if failed + throttled > 0 then blame(retry_after, error) end
  if tripped(total()) then move('threshold_reached') end
end
save()
return reply()
