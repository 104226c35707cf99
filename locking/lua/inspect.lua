-- What an operator may know of a lock; tokens stay secret.
-- KEYS   holder, queue, records, memory
-- ARGV   most waiters to tell of
-- Reply  {holder, waiting, waiters, counters}
--        holder    {fence, ttl ms, held for µs, held | granted | cooling, actor, meta}, {} when free
--        waiters   {waited µs, actor} of those alive, the first in line first
--        counters  {grants, enrolments, forced releases}
local holder, queue, records, memory = unpack(KEYS)
local most = tonumber(ARGV[1])
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]

local token, fence, at, state, who = unpack(call('HMGET', holder, 'tok', 'f', 'at', 'st', 'who'))
local held = {}
if token then
  state = token == '-' and 'cooling' or state or 'held'
  local actor, meta = string.match(who, '^%S+ (%S+) (.*)$')
  held = {tonumber(fence), call('PTTL', holder), now - at, state, actor, meta}
end

local waiters = {}
local line = most > 0 and call('ZRANGE', queue, 0, most - 1, 'WITHSCORES') or {}
for place = 1, #line, 2 do
  local record = call('HGET', records, line[place]) or ''
  local due, actor = string.match(record, '^(%d+) %d+ %S+ (%S+)')
  if due and tonumber(due) > now then
    waiters[#waiters + 1] = {now - line[place + 1], actor}
  end
end

local counters = call('HMGET', memory, 'n', 'c', 'v')
for place = 1, 3 do
  counters[place] = tonumber(counters[place] or 0)
end
return {held, call('ZCARD', queue), waiters, counters}
