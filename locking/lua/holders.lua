-- Whom a waiter waits for: it has to wait while any of them holds the lock.
-- KEYS   holder, queue, records
-- ARGV   token of the waiter
-- Reply  {ticket, fence, actor, fence, actor, …}; {0} when it does not wait there (any more)
local holder, queue, records = unpack(KEYS)
local token = ARGV[1]
local call = redis.call

-- A process that ended leaves its place in line and its leases to time, and waits for nothing.
local function is_alive(channel)
  if channel == '-' then
    return true
  end
  local about = string.find(channel, '{', 1, true) and 'SHARDNUMSUB' or 'NUMSUB'
  local listeners = redis.pcall('PUBSUB', about, channel)
  -- Not allowed to ask: its record ends soon.
  return listeners.err or listeners[2] > 0
end

local ticket = call('ZSCORE', queue, token)
local due, channel = string.match(call('HGET', records, token) or '', '^(%d+) (%S+)')
local clock = call('TIME')
if not ticket or not due or tonumber(due) <= clock[1] * 1000000 + clock[2]
  or not is_alive(channel) then
  return {0}
end
local held, fence, actor = unpack(call('HMGET', holder, 'tok', 'f', 'actor'))
-- While a lock cools down nobody holds it.
if not held or held == '-' then
  return {tonumber(ticket)}
end
return {tonumber(ticket), tonumber(fence), actor}
