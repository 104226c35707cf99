-- Grant the lock to a token, or tell who has it. Repeating the call repeats the answer.
-- KEYS   holder, queue of waiters, their records, memory (outlives holders), [index of held locks]
-- ARGV   token, lease ms, enrol as a waiter (0 or 1), life of that entry ms, actor, meta, fence floor
-- Reply  {1, fence} | {0, ttl ms, holder's fence, held for µs, actor, meta}
local holder, queue, records, memory, index = unpack(KEYS)
local token, lease, enrol, life, actor, meta, floor = unpack(ARGV)
local call, format = redis.call, string.format
local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]
local current = call('HGET', holder, 'tok')
local fence

if not current then
  local last, released, abandoned = unpack(call('HMGET', memory, 'f', 'r', 'x'))
  -- A call that was on its way while its token was given up must not leave an orphan behind.
  if string.find((released or '') .. (abandoned or ''), token, 1, true) then
    return redis.error_reply('GIVENUP this token was released or abandoned before')
  end
  -- The clock keeps fences rising when the memory is lost, the memory when the clock steps back.
  fence = math.max(now, (tonumber(last) or 0) + 1, floor + 1)
  local text = format('%.0f', fence)
  call('HSET', holder, 'tok', token, 'f', text, 'at', format('%.0f', now), 'actor', actor, 'meta', meta)
  call('HSET', memory, 'f', text)
  call('PEXPIRE', memory, 604800000)
elseif current == token then
  fence = tonumber(call('HGET', holder, 'f'))
end

if fence then
  call('PEXPIRE', holder, lease)
  if index then
    call('ZADD', index, format('%.0f', now + lease * 1000), holder)
  end
  if enrol == '1' then
    call('ZREM', queue, token)
    call('HDEL', records, token)
  end
  return {1, fence}
end

local function drop_dead_waiters()
  for _ = 1, 64 do
    local head = call('ZRANGE', queue, 0, 0)[1]
    if not head then return end
    local record = call('HGET', records, head)
    if record and tonumber(string.match(record, '^%d+')) > now then return end
    call('ZREM', queue, head)
    call('HDEL', records, head)
  end
end

if enrol == '1' then
  drop_dead_waiters()
  -- Deadline µs, channel (- for a waiter that polls), lease ms, mode, actor, meta.
  local record = {format('%.0f', now + life * 1000), '-', lease, 'x', actor, meta}
  call('ZADD', queue, 'NX', format('%.0f', now), token)
  call('HSET', records, token, table.concat(record, ' '))
  call('PEXPIRE', queue, life)
  call('PEXPIRE', records, life)
end
local held = call('HMGET', holder, 'f', 'at', 'actor', 'meta')
return {0, call('PTTL', holder), tonumber(held[1]), now - held[2], held[3], held[4]}
