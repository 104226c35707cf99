-- Grant the lock to a token, or put it in line and tell who has it. Repeating the call repeats
-- the answer; for a token that was handed the lock, the call claims it.
-- KEYS   holder, queue of waiters, their records, memory (outlives holders), [index of held locks]
-- ARGV   token, lease ms, fence floor, who: "channel actor meta", line: "enrol (0 no, 1 to be told
--        on the channel, 2 to ask again), life of that entry ms, ticket of old or 0, fair (0 or 1),
--        most waiters"
-- Reply  fence | {0, ttl ms, last fence, held for µs, holder's actor, meta, position, ticket}
--        | {-1} too many wait
local token, lease, floor, who, line = unpack(ARGV)
local enrol, life, ticket, fair, most = string.match(line, LINE)
local now = microseconds()
local current = call('HGET', holder, 'tok')

if current == token then
  call('PEXPIRE', holder, lease)
  call('HDEL', holder, 'st')
  list_expiry(now, lease)
  leave_queue(token)
  announce(lease, CHANNEL)
  return tonumber(call('HGET', holder, 'f'))
end

if (not current or enrol ~= '0') and given_up(token) then
  return redis.error_reply('GIVENUP this token was released or abandoned before')
end

if not current then
  local waiting = call('EXISTS', queue) == 1
  local whose = waiting and fair == '1' and hand_off(now, token) or 'nobody'
  if whose == 'yours' or whose == 'nobody' then
    local fence = grant(token, now, lease, tonumber(floor), who)
    if waiting then
      leave_queue(token)
      announce(lease, CHANNEL)
    else
      call('HDEL', memory, 'q')
    end
    return fence
  end
end

local position, place = -1, 0
if enrol ~= '0' then
  position, place = enlist(token, now, ticket, most, life, {floor, reached(who, enrol)})
  if not position then
    return {-1}
  end
end
local held = call('HMGET', holder, 'f', 'at', 'who')
local last = held[1] or call('HGET', memory, 'f') or 0
local _, actor, meta = string.match(held[3] or '', WHO)
return {0, call('PTTL', holder), tonumber(last), now - (held[2] or now), actor or '', meta or '',
  position, place}
