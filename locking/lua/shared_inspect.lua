-- What an operator may know of the shares of a name; tokens stay secret.
-- KEYS   holders, queue, records, memory, grants
-- ARGV   most waiters to tell of, and as many holders; [fence of the only holder to tell of]
-- Reply  {held, holders, waiting, waiters, counters}
--        holders   {fence, ttl ms, held for µs, held | granted, actor, meta, weight, capacity} of
--                  those that hold longest
--        waiters   {waited µs, actor, weight} of those alive, the first in line first
--        counters  {grants, enrolments, forced releases}
local holder, queue, records, memory, grants = unpack(KEYS)
local most, only = tonumber(ARGV[1]), ARGV[2]
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]

local shares = {}
local held = call('ZRANGEBYSCORE', holder, string.format('(%.0f', now), '+inf', 'WITHSCORES')
for place = 1, #held, 2 do
  local fence, weight, capacity, at, state, _, actor, meta = string.match(
    call('HGET', grants, held[place]), '^(%d+) (%d+) (%d+) (%d+) (%S+) (%S+) (%S+) (.*)$')
  if not only or only == fence then
    local ttl = math.ceil((held[place + 1] - now) / 1000)
    shares[#shares + 1] = {
      tonumber(fence), ttl, now - at, state, actor, meta, tonumber(weight), tonumber(capacity)}
  end
end
table.sort(shares, function(one, other) return one[1] < other[1] end)
for place = #shares, most + 1, -1 do
  shares[place] = nil
end

local waiters = {}
local line = most > 0 and call('ZRANGE', queue, 0, most - 1, 'WITHSCORES') or {}
for place = 1, #line, 2 do
  local due, weight, actor = string.match(
    call('HGET', records, line[place]) or '', '^(%d+) %d+ (%d+) %d+ %S+ (%S+)')
  if due and tonumber(due) > now then
    waiters[#waiters + 1] = {now - line[place + 1], actor, tonumber(weight)}
  end
end

local counters = call('HMGET', memory, 'n', 'c', 'v')
for place = 1, 3 do
  counters[place] = tonumber(counters[place] or 0)
end
return {#held / 2, shares, call('ZCARD', queue), waiters, counters}
