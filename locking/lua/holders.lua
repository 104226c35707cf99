-- Whom a waiter waits for: it has to wait while any of them holds the lock.
-- KEYS   holder, queue, records
-- ARGV   token of the waiter
-- Reply  {ticket, fence, actor, fence, actor, …}; {0} when it does not wait there (any more)
local token = ARGV[1]
local ticket = call('ZSCORE', queue, token)
local due, channel = string.match(call('HGET', records, token) or '', '^(%d+) %d+ (%S+)')
if not ticket or not due or tonumber(due) <= microseconds() or not listens(channel) then
  return {0}
end
local held, fence, who = unpack(call('HMGET', holder, 'tok', 'f', 'who'))
-- While a lock cools down nobody holds it.
if not held or held == '-' then
  return {tonumber(ticket)}
end
return {tonumber(ticket), tonumber(fence), string.match(who, '^%S+ (%S+)')}
