-- ARGV  4 epoch   5 state   6 remaining   7 attempt   8 opened_at   9 last_error
local epoch, state = tonumber(ARGV[4]), ARGV[5]
if epoch <= circuit.epoch then return reply() end

local known, rejected = circuit.known, circuit.rejected
circuit = new()
circuit.known, circuit.rejected, circuit.changed = known, rejected, true
circuit.epoch, circuit.since = epoch, now
circuit.attempt, circuit.opened_at = tonumber(ARGV[7]), tonumber(ARGV[8])
circuit.last_error = ARGV[9]
-- The permits of a half-open round are lost with the store: the next trial opens a new one.
if state ~= 'closed' then
  circuit.state, circuit.due = 'open', now + tonumber(ARGV[6])
end
redis.call('DEL', KEYS[2])
save()
return reply()
