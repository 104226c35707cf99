-- Prelude of the scripts that may leave a lock free, or find it so.
local holder, queue, records, memory, index = unpack(KEYS)
local call, format = redis.call, string.format
local MEMORY_MS, CLAIM_MS, MOST_DEAD = 604800000, 3000, 64

local function microseconds()
  local clock = call('TIME')
  return clock[1] * 1000000 + clock[2]
end

local function digits(number)
  return format('%.0f', number)
end

local function list_expiry(now, ms)
  if index then
    call('ZADD', index, digits(now + ms * 1000), holder)
  end
end

local function leave_queue(token)
  call('ZREM', queue, token)
  call('HDEL', records, token)
end

-- The clock keeps fences rising when the memory is lost, the memory when the clock steps back.
local function grant(token, now, lease, floor, channel, actor, meta, state)
  local last, grants = unpack(call('HMGET', memory, 'f', 'n'))
  local fence = math.max(now, (tonumber(last) or 0) + 1, floor + 1)
  local text = digits(fence)
  call('HSET', holder, 'tok', token, 'f', text, 'at', digits(now), 'chan', channel,
    'actor', actor, 'meta', meta)
  if state then
    call('HSET', holder, 'st', state)
  end
  call('PEXPIRE', holder, lease)
  call('HSET', memory, 'f', text, 'n', (grants or 0) + 1)
  call('PEXPIRE', memory, MEMORY_MS)
  list_expiry(now, lease)
  return fence
end

-- Whether a process still listens there. One without a channel asks by itself.
local function tell(channel, message)
  if channel == '-' then
    return true
  end
  local verb = string.find(channel, '{', 1, true) and 'SPUBLISH' or 'PUBLISH'
  local listeners = redis.pcall(verb, channel, message)
  -- Not allowed to publish: the waiter finds its grant when it asks by itself.
  return type(listeners) == 'table' or listeners > 0
end

-- Give the free lock to the first live waiter, who then claims it by asking once more.
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
      local due, channel, floor, actor, meta =
        string.match(record, '^(%d+) (%S+) (%d+) (%S+) (.*)$')
      if tonumber(due) > now and tell(channel, 'g ' .. token .. ' ' .. holder) then
        grant(token, now, CLAIM_MS, tonumber(floor), channel, actor, meta, 'granted')
        return 'given'
      end
    end
  end
  return 'more'
end
