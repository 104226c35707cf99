-- ARGV  5 epoch   6 token   7 outcome   8 retry_after   9 error
local epoch, token, outcome = tonumber(ARGV[5]), ARGV[6], ARGV[7]
local COUNTS = { ok = 'ok', failure = 'failed', throttled = 'throttled', slow = 'slow' }

local function judge()
  if outcome == 'neutral' then return end
  add_to_totals({ [COUNTS[outcome]] = 1 })
  if outcome == 'ok' then
    circuit.passed = circuit.passed + 1
    if circuit.passed >= policy.success_threshold then move('trial_succeeded') end
    return
  end
  blame(tonumber(ARGV[8]), ARGV[9])
  move('trial_failed')
end

local lapsed = prune()
local counts = epoch == circuit.epoch and redis.call('ZREM', KEYS[2], token) == 1
if counts then judge() end
if lapsed > 0 or counts then save() end
return reply()
