-- Prelude of the scripts that may leave a lock free, or find it so; stands behind line.lua.
local index, CHANNEL = KEYS[5], '^%d+ %d+ (%S+)'

local function list_expiry(now, ms)
  if index then
    call('ZADD', index, digits(now + ms * 1000), holder)
  end
end

local function grant(token, now, lease, floor, who, state)
  local fence, text = next_fence(now, floor)
  call('HSET', holder, 'tok', token, 'f', text, 'at', digits(now), 'who', who)
  if state then
    call('HSET', holder, 'st', state)
  end
  call('PEXPIRE', holder, lease)
  list_expiry(now, lease)
  return fence
end

-- Give the free lock to the first live waiter, who claims it by asking once more, or by extending
-- the lease that it was told of.
-- Stops at the caller's own token. Reply: 'given', 'yours', 'nobody', or 'more' dead to skip.
local function hand_off(now, caller)
  for _ = 1, MOST_DEAD do
    local token = call('ZRANGE', queue, 0, 0)[1]
    if not token then
      return 'nobody'
    end
    if token == caller then
      return 'yours'
    end
    local record = call('HGET', records, token)
    leave_queue(token)
    if record then
      local due, floor, who = string.match(record, '^(%d+) (%d+) (.*)$')
      local _, fence = coming_fence(now, tonumber(floor))
      local news = 'g ' .. token .. ' ' .. fence .. ' ' .. holder
      if tonumber(due) > now and tell(string.match(who, '^%S+'), news) then
        grant(token, now, CLAIM_MS, tonumber(floor), who, 'granted')
        return 'given'
      end
    end
  end
  return 'more'
end
