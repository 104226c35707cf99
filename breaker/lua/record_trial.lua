-- ARGV  4 epoch   5 token   6 outcome   7 retry_after   8 error
local epoch, token, outcome = tonumber(ARGV[4]), ARGV[5], ARGV[6]
local retry_after, error = tonumber(ARGV[7]), ARGV[8]

prune()
if epoch ~= circuit.epoch or redis.call('ZREM', KEYS[2], token) == 0 then return reply() end
if outcome == 'neutral' then return reply() end
if outcome == 'ok' then
  circuit.passed = circuit.passed + 1
  if circuit.passed >= policy.success_threshold then move('trial_succeeded') end
else
  blame(retry_after, error)
  move('trial_failed')
end
save()
return reply()
