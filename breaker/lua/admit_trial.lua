-- ARGV  4 epoch   5 token
local epoch, token = tonumber(ARGV[4]), ARGV[5]

-- No wait is longer than the cap: one that seems so means that the clock was set back.
local function is_due()
  return now >= circuit.due or circuit.due - now > policy.max_open_ms
end

-- A threshold lowered meanwhile may have been reached already: one more success then closes.
local function has_room()
  local live = redis.call('ZCARD', KEYS[2])
  local enough = math.max(policy.half_open_permits, policy.success_threshold)
  return live == 0 or (live < policy.half_open_permits and live + circuit.passed < enough)
end

if epoch > circuit.epoch then return reply() end
if circuit.state == 'open' and is_due() then
  move('open_timeout_passed')
  save()
end
if circuit.state ~= 'half_open' then return reply() end
prune()
-- Asking again is answered alike: the first answer may have been lost on the way.
if not redis.call('ZSCORE', KEYS[2], token) and not has_room() then return reply() end
lease(token)
return reply(true)
