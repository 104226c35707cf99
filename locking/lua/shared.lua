-- Prelude of the scripts on shares; stands behind line.lua. Many hold one name at once, as long as
-- their weights fit into its capacity, which each asks by its own idea of it. A share weighs 1, or
-- more than there is room for beside any other: who weighs more than 1 holds alone.
-- Here holder is a ZSET token → expiry µs, grants a HASH token → "fence weight capacity at state
-- who", and records are "due floor weight capacity who"; who is "channel actor meta".
local grants, index = KEYS[5], KEYS[6]
local MOST_EXPIRED, SLACK_MS = 1000, 1000
local CHANNEL = '^%d+ %d+ %d+ %d+ (%S+)'
local GRANT = '^(%d+) (%d+) (%d+) (%d+) (%S+) (%S+) (%S+) (.*)$'
local RECORD = '^(%d+) (%d+) (%d+) (%d+) (.*)$'

local function list_expiry()
  if index then
    local last = call('ZRANGE', holder, -1, -1, 'WITHSCORES')[2]
    if last then
      call('ZADD', index, last, holder)
    else
      call('ZREM', index, holder)
    end
  end
end

local function drop(token)
  call('ZREM', holder, token)
  call('HDEL', grants, token)
end

local function drop_expired(now)
  local expired = call('ZRANGEBYSCORE', holder, '-inf', digits(now), 'LIMIT', 0, MOST_EXPIRED)
  if #expired > 0 then
    call('ZREM', holder, unpack(expired))
    call('HDEL', grants, unpack(expired))
  end
end

local function hold(token, now, lease)
  call('ZADD', holder, digits(now + lease * 1000), token)
  -- A share ends by its score; the keys only have to outlast it.
  keep(holder, lease + SLACK_MS)
  keep(grants, lease + SLACK_MS)
end

local function grant(token, now, lease, weight, capacity, floor, who, state)
  local fence, text = next_fence(now, floor)
  local words = {text, weight, capacity, digits(now), state, who}
  call('HSET', grants, token, table.concat(words, ' '))
  hold(token, now, lease)
  return fence
end

-- How many shares have to end before such a one fits, and how many there are.
local function excess(weight, capacity)
  local count = call('ZCARD', holder)
  local used = count
  if count == 1 then
    local only = call('ZRANGE', holder, 0, 0)[1]
    used = tonumber(string.match(call('HGET', grants, only), '^%d+ (%d+)'))
  end
  return math.min(used + weight - capacity, count), count
end

-- The last of them, with its expiry; nothing when it fits now.
local function in_the_way(weight, capacity)
  local place = excess(weight, capacity) - 1
  if place >= 0 then
    return unpack(call('ZRANGE', holder, place, place, 'WITHSCORES'))
  end
end

-- Give shares to the first live waiters, to as many as fit; they claim them by asking once more.
-- Stops at the caller's own token. Reply: 'yours', 'nobody', 'full' with the weight and capacity
-- that the first in line asks for, or 'more' to do.
local function hand_out(now, caller)
  for _ = 1, MOST_DEAD do
    local token = call('ZRANGE', queue, 0, 0)[1]
    if not token then
      return 'nobody'
    end
    if token == caller then
      return 'yours'
    end
    local due, floor, weight, capacity, who =
      string.match(call('HGET', records, token) or '', RECORD)
    local channel = due and string.match(who, '^%S+')
    local alive = due and tonumber(due) > now
    -- A dead waiter must not keep out those behind it while it would not fit anyway.
    if alive and in_the_way(weight, capacity) then
      if listens(channel) then
        return 'full', weight, capacity
      end
      alive = false
    end
    leave_queue(token)
    if alive and tell(channel, 'g ' .. token .. ' 0 ' .. holder) then
      grant(token, now, CLAIM_MS, weight, capacity, tonumber(floor), who, 'granted')
    end
  end
  return 'more'
end

-- The end of each script: hand out what room there is. Reply: 1 when the caller should ask again.
local function settle(now)
  local more = call('EXISTS', queue) == 1 and hand_out(now) == 'more'
  list_expiry()
  return more and 1 or 0
end
