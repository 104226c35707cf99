-- Grant the lock to a token, or put it in line and tell who has it. Repeating the call repeats
-- the answer; for a token that was handed the lock, the call claims it.
-- KEYS   holder, queue of waiters, their records, memory (outlives holders), [index of held locks]
-- ARGV   token, lease ms, enrol (0 no, 1 to be told on the channel, 2 to ask again), channel,
--        life of that entry ms, fair (0 or 1), most waiters, ticket of old or 0, fence floor,
--        actor, meta
-- Reply  {1, fence} | {0, ttl ms, last fence, held for µs, holder's actor, meta, position, ticket}
--        | {-1} too many wait
local token, lease, enrol, channel, life, fair, most, ticket, floor, actor, meta = unpack(ARGV)
local now = microseconds()
local current = call('HGET', holder, 'tok')

if current == token then
  call('PEXPIRE', holder, lease)
  call('HDEL', holder, 'st')
  list_expiry(now, lease)
  leave_queue(token)
  return {1, tonumber(call('HGET', holder, 'f'))}
end

if (not current or enrol ~= '0') and given_up(token) then
  return redis.error_reply('GIVENUP this token was released or abandoned before')
end

if not current then
  local waiting = call('EXISTS', queue) == 1
  local whose = waiting and fair == '1' and hand_off(now, token) or 'nobody'
  if whose == 'yours' or whose == 'nobody' then
    local fence = grant(token, now, lease, tonumber(floor), channel, actor, meta)
    if waiting then
      leave_queue(token)
    end
    return {1, fence}
  end
end

local position, place = -1, 0
if enrol ~= '0' then
  local path = enrol == '1' and channel or '-'
  position, place = enlist(token, now, ticket, most, life, {path, floor, actor, meta})
  if not position then
    return {-1}
  end
end
local held = call('HMGET', holder, 'f', 'at', 'actor', 'meta')
local last = held[1] or call('HGET', memory, 'f') or 0
return {0, call('PTTL', holder), tonumber(last), now - (held[2] or now), held[3] or '',
  held[4] or '', position, place}
