-- ARGV  5 expected epoch, or empty   6 verb   7 actor   8 reason   9 lasting
local expected, verb, actor, reason, lasting = ARGV[5], ARGV[6], ARGV[7], ARGV[8], tonumber(ARGV[9])
if expected ~= '' and tonumber(expected) ~= circuit.epoch then return reply() end

if verb == 'close' or verb == 'reset' then
  turn('closed', reason, actor)
  closed()
  if verb == 'reset' then
    circuit.attempt, circuit.rejected, circuit.last_error = 0, 0, ''
    circuit.all_ok, circuit.all_failed, circuit.all_throttled, circuit.all_slow = 0, 0, 0, 0
  end
else
  turn(circuit.state, reason, actor)
  circuit.override = OVERRIDES[verb] or ''
  if lasting > 0 and circuit.override ~= '' then circuit.override_until = now + lasting end
end
save()
return reply()
