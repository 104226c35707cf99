-- Prelude of the scripts that may leave room for a waiter, or find it: the line, and what outlives
-- holders.
local holder, queue, records, memory = unpack(KEYS)
local call, format = redis.call, string.format
local MEMORY_MS, CLAIM_MS, NAP_MS, MOST_DEAD = 604800000, 3000, 2500, 64

local WHO, LINE = '^(%S+) (%S+) (.*)$', '^(%d+) (%d+) (%d+) (%d+) (%d+)$'

local function microseconds()
  local clock = call('TIME')
  return clock[1] * 1000000 + clock[2]
end

local function digits(number)
  return format('%.0f', number)
end

-- Keep a key that serves several for as long as the longest of them needs it.
local function keep(key, ms)
  if call('PTTL', key) < tonumber(ms) then
    call('PEXPIRE', key, ms)
  end
end

-- Put a token in line, or leave it where it is. Reply: position and ticket, or nothing when as
-- many wait as may.
local function enlist(token, now, ticket, most, life, record)
  local place = tonumber(call('ZSCORE', queue, token))
  if not place then
    if call('ZCARD', queue) >= tonumber(most) then
      return nil
    end
    place = tonumber(ticket)
    if place == 0 then
      local last, enrolled = unpack(call('HMGET', memory, 't', 'c'))
      place = math.max(now, (tonumber(last) or 0) + 1)
      call('HSET', memory, 't', digits(place), 'c', (enrolled or 0) + 1)
    end
    call('ZADD', queue, digits(place), token)
  end
  call('HSET', memory, 'q', 1)
  call('PEXPIRE', memory, MEMORY_MS)
  call('HSET', records, token, digits(now + life * 1000) .. ' ' .. table.concat(record, ' '))
  keep(queue, life)
  keep(records, life)
  return call('ZRANK', queue, token), place
end

-- Who it is to a store that may not tell it anything.
local function reached(who, enrol)
  return enrol == '1' and who or '-' .. string.match(who, ' .*')
end

-- The memory's q is there as long as somebody may wait, for the scripts that look no further.
local function waits()
  local some = call('EXISTS', queue) == 1
  if not some then
    call('HDEL', memory, 'q')
  end
  return some
end

local function leave_queue(token)
  call('ZREM', queue, token)
  call('HDEL', records, token)
end

-- Whether a call that was on its way while its token was given up would leave an orphan behind.
local function given_up(token)
  local released, abandoned = unpack(call('HMGET', memory, 'r', 'x'))
  return string.find((released or '') .. (abandoned or ''), token, 1, true)
end

-- The clock keeps fences rising when the memory is lost, the memory when the clock steps back.
local function coming_fence(now, floor)
  local last, grants = unpack(call('HMGET', memory, 'f', 'n'))
  local fence = math.max(now, (tonumber(last) or 0) + 1, floor + 1)
  return fence, digits(fence), grants or 0
end

local function next_fence(now, floor)
  local fence, text, grants = coming_fence(now, floor)
  call('HSET', memory, 'f', text, 'n', grants + 1)
  call('PEXPIRE', memory, MEMORY_MS)
  return fence, text
end

local function is_sharded(channel)
  return string.find(channel, '{', 1, true)
end

-- Whether a process still listens there. One without a channel asks by itself.
local function tell(channel, message)
  if channel == '-' then
    return true
  end
  local listeners = redis.pcall(is_sharded(channel) and 'SPUBLISH' or 'PUBLISH', channel, message)
  -- Not allowed to publish: the waiter finds its grant when it asks by itself.
  return type(listeners) == 'table' or listeners > 0
end

-- Whoever is first in line sleeps until the end of the lease that it was told of, or for a nap: it
-- has to hear of one that ends sooner. The form finds the channel in its record.
local function announce(lease, form)
  if tonumber(lease) < NAP_MS then
    local first = call('ZRANGE', queue, 0, 0)[1]
    local record = first and call('HGET', records, first)
    if record then
      tell(string.match(record, form), 'g ' .. first .. ' 0 ' .. holder)
    end
  end
end

-- Whether one still listens, without waking anybody: a process that ended leaves its places in line to time.
local function listens(channel)
  if channel == '-' then
    return true
  end
  local about = is_sharded(channel) and 'SHARDNUMSUB' or 'NUMSUB'
  local listeners = redis.pcall('PUBSUB', about, channel)
  -- Not allowed to ask: its record ends soon.
  return listeners.err or listeners[2] > 0
end
