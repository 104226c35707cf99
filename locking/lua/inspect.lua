-- What an operator may know of a lock; its token stays secret.
-- KEYS   holder, queue, records, memory
-- Reply  {fence, ttl ms, held for µs, waiters, actor, meta} | nil when free
local held = redis.call('HMGET', KEYS[1], 'f', 'at', 'actor', 'meta')
if not held[1] then
  return nil
end
local clock = redis.call('TIME')
local held_for = clock[1] * 1000000 + clock[2] - held[2]
return {tonumber(held[1]), redis.call('PTTL', KEYS[1]), held_for,
  redis.call('ZCARD', KEYS[2]), held[3], held[4]}
