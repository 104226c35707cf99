-- ARGV  5 epoch   6 state   7 remaining   8 override   9 override_remaining   10 attempt
--       11 opened_at   12 last_error   13 reason   14 actor   15 base
local epoch, state, override_lasts = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[9])
-- What a process did alone is no match for what the others, or an operator, did meanwhile.
if epoch <= circuit.epoch or tonumber(ARGV[15]) < circuit.epoch then return reply() end

local before = circuit
circuit = new()
circuit.known, circuit.rejected, circuit.moved = before.known, before.rejected, true
for _, count in ipairs({ 'all_ok', 'all_failed', 'all_throttled', 'all_slow' }) do
  circuit[count] = before[count]
end
circuit.epoch, circuit.since, circuit.override = epoch, now, ARGV[8]
if override_lasts > 0 then circuit.override_until = now + override_lasts end
circuit.attempt, circuit.opened_at = tonumber(ARGV[10]), tonumber(ARGV[11])
circuit.last_error, circuit.reason, circuit.actor = ARGV[12], ARGV[13], ARGV[14]
-- The permits of a half-open round are lost with the store: the next trial opens a new one.
if state ~= 'closed' then
  circuit.state, circuit.due = 'open', now + tonumber(ARGV[7])
end
redis.call('DEL', KEYS[2], KEYS[3])
save()
circuit.moved = false  -- a memory is no transition
return reply()
