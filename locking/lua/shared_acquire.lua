-- Grant a share to a token, or put it in line and tell who is in its way. Repeating the call
-- repeats the answer; for a token that was handed a share, the call claims it.
-- KEYS   holders, queue of waiters, their records, memory (outlives holders), grants, [index]
-- ARGV   as for acquire; then weight, capacity
-- Reply  fence | {0, ttl ms, fence of the share that must end first, held for µs, its actor,
--        its meta, position, ticket} | {-1} too many wait
local token, lease, floor, who, line, weight, capacity = unpack(ARGV)
local enrol, life, ticket, fair, most = string.match(line, LINE)
local now = microseconds()
drop_expired(now)

local mine = call('HGET', grants, token)
if mine then
  call('HSET', grants, token, (string.gsub(mine, '^(%S+ %S+ %S+ %S+) granted ', '%1 held ')))
  hold(token, now, lease)
  settle(now)
  announce(lease, CHANNEL)
  return tonumber(string.match(mine, '^%d+'))
end

if given_up(token) then
  return redis.error_reply('GIVENUP this token was released or abandoned before')
end

local waiting = call('EXISTS', queue) == 1
local whose, first_weight, first_capacity = 'nobody', weight, capacity
if waiting and fair == '1' then
  whose, first_weight, first_capacity = hand_out(now, token)
end
local room = whose == 'yours' or whose == 'nobody'
if room and not in_the_way(weight, capacity) then
  local fence = grant(token, now, lease, weight, capacity, tonumber(floor), who, 'held')
  if waiting then
    leave_queue(token)
  end
  settle(now)
  announce(lease, CHANNEL)
  return fence
end

local position, place = -1, 0
if enrol ~= '0' then
  local record = {floor, weight, capacity, reached(who, enrol)}
  position, place = enlist(token, now, ticket, most, life, record)
end
list_expiry()
if not position then
  return {-1}
end
local other, expiry = in_the_way(first_weight or weight, first_capacity or capacity)
if not other then
  return {0, 0, 0, 0, '', '', position, place}
end
local fence, _, _, at, _, _, actor, meta = string.match(call('HGET', grants, other), GRANT)
return {0, math.ceil((expiry - now) / 1000), tonumber(fence), now - at, actor, meta, position, place}
