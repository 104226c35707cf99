-- Whom a waiter waits for: it has to wait while any of them holds its share.
-- KEYS   holders, queue, records, memory, grants
-- ARGV   token of the waiter
-- Reply  {ticket, fence, actor, fence, actor, …}; {0} when it does not wait there (any more).
--        Nobody where several may go before it fits, as it does not matter which of them do.
local token = ARGV[1]
local now = microseconds()
local ticket = call('ZSCORE', queue, token)
local due, _, _, _, who = string.match(call('HGET', records, token) or '', RECORD)
if not ticket or not due or tonumber(due) <= now or not listens(string.match(who, '^%S+')) then
  return {0}
end
-- All wait for what the first in line needs.
local first = call('HGET', records, call('ZRANGE', queue, 0, 0)[1])
local _, _, weight, capacity = string.match(first or '', RECORD)
local reply = {tonumber(ticket)}
local ending, count = excess(weight or 0, capacity or 0)
if ending == count then
  local tokens = call('ZRANGEBYSCORE', holder, digits(now), '+inf')
  for place = 1, #tokens do
    local fence, _, _, _, _, _, actor = string.match(call('HGET', grants, tokens[place]), GRANT)
    reply[#reply + 1] = tonumber(fence)
    reply[#reply + 1] = actor
  end
end
return reply
