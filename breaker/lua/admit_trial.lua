-- ARGV  5 epoch   6 token
local epoch, token = tonumber(ARGV[5]), ARGV[6]

-- No wait is longer than the cap: one that seems so means that the clock was set back.
local function is_due()
  return now >= circuit.due or circuit.due - now > policy.max_open_ms
end

-- A threshold lowered meanwhile may have been reached already: one more success then closes.
local function has_room(live)
  local enough = math.max(policy.half_open_permits, policy.success_threshold)
  return live == 0 or (live < policy.half_open_permits and live + circuit.passed < enough)
end

local function admitted()
  if circuit.state == 'open' and is_due() then move('open_timeout_passed') end
  if circuit.state ~= 'half_open' then return false end
  prune()
  local live = redis.call('ZCARD', KEYS[2])
  if live == 0 and circuit.abandoned >= PATIENCE then
    move('trials_abandoned')
    return false
  end
  -- Asking again is answered alike: the first answer may have been lost on the way.
  if not redis.call('ZSCORE', KEYS[2], token) and not has_room(live) then return false end
  lease(token)
  return true
end

if epoch > circuit.epoch then return reply() end
local before = circuit.abandoned
local granted = not woke() and circuit.override == '' and admitted()
if circuit.moved or circuit.abandoned ~= before then save() end
return reply(granted)
