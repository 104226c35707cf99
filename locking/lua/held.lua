-- A page of the locks held, those that end soonest first.
-- KEYS   index of held locks
-- ARGV   expiry µs to begin at, how many of that very expiry to skip, most rows
-- Reply  {locks held, holder key, expiry µs, holder key, expiry µs, …}
local index = KEYS[1]
local from, skip, most = unpack(ARGV)
local clock = redis.call('TIME')
-- Locks that ran out, instead of being released, are still listed.
redis.call('ZREMRANGEBYSCORE', index, '-inf', string.format('%.0f', clock[1] * 1000000 + clock[2]))
local page = redis.call('ZRANGEBYSCORE', index, from, '+inf', 'WITHSCORES', 'LIMIT', skip, most)
table.insert(page, 1, redis.call('ZCARD', index))
return page
