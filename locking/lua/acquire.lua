-- Grant the lock to a token, or tell who has it. Repeating the call repeats the answer.
-- KEYS   holder, queue of waiters, their records, memory (outlives holders), [index of held locks]
-- ARGV   token, lease ms, enrol as a waiter (0 or 1), life of that entry ms, actor, meta, fence floor
-- Reply  {1, fence} | {0, ttl ms, holder's fence, held for µs, actor, meta}
local holder, queue, records, memory, index = unpack(KEYS)
local token, lease, enrol, life, actor, meta, floor = unpack(ARGV)
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local function leave_queue()
  if redis.call('ZREM', queue, token) == 1 then
    redis.call('HDEL', records, token)
  end
end

local function keep(fence)
  redis.call('PEXPIRE', holder, lease)
  if index then
    redis.call('ZADD', index, string.format('%.0f', now + lease * 1000), holder)
  end
  if enrol == '1' then
    leave_queue()
  end
  return {1, fence}
end

-- The clock keeps fences rising when the memory is lost, the memory when the clock steps back.
local function next_fence(last)
  return math.max(now, (tonumber(last) or 0) + 1, floor + 1)
end

local function grant()
  local last, released, abandoned = unpack(redis.call('HMGET', memory, 'f', 'r', 'x'))
  -- A call that was on its way while its token was given up must not leave an orphan behind.
  if string.find((released or '') .. (abandoned or ''), token, 1, true) then
    return redis.error_reply('GIVENUP this token was released or abandoned before')
  end
  local fence = next_fence(last)
  local text = string.format('%.0f', fence)
  redis.call('HSET', holder, 'tok', token, 'f', text, 'at', string.format('%.0f', now),
    'actor', actor, 'meta', meta)
  redis.call('HSET', memory, 'f', text)
  redis.call('PEXPIRE', memory, 604800000)
  return keep(fence)
end

local function drop_dead_waiters()
  for _ = 1, 64 do
    local head = redis.call('ZRANGE', queue, 0, 0)[1]
    if not head then return end
    local record = redis.call('HGET', records, head)
    if record and tonumber(string.match(record, '^%d+')) > now then return end
    redis.call('ZREM', queue, head)
    redis.call('HDEL', records, head)
  end
end

-- A record is: deadline µs, channel (- for a waiter that polls), lease ms, mode, actor, meta.
local function enrol_waiter()
  drop_dead_waiters()
  local deadline = string.format('%.0f', now + life * 1000)
  redis.call('ZADD', queue, 'NX', string.format('%.0f', now), token)
  redis.call('HSET', records, token, table.concat({deadline, '-', lease, 'x', actor, meta}, ' '))
  redis.call('PEXPIRE', queue, life)
  redis.call('PEXPIRE', records, life)
end

local current = redis.call('HGET', holder, 'tok')
if not current then
  return grant()
elseif current == token then
  return keep(tonumber(redis.call('HGET', holder, 'f')))
end
if enrol == '1' then
  enrol_waiter()
end
local held = redis.call('HMGET', holder, 'f', 'at', 'actor', 'meta')
return {0, redis.call('PTTL', holder), tonumber(held[1]), now - held[2], held[3], held[4]}
