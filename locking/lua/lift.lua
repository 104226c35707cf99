-- Lift the fence of a lock that this token holds, and of all that come after it.
-- KEYS   holder, queue, records, memory
-- ARGV   token, fence
-- Reply  1 | 0 not held by this token, or held under a higher fence
local holder, memory = KEYS[1], KEYS[4]
local token, fence = ARGV[1], tonumber(ARGV[2])
local held, now = unpack(redis.call('HMGET', holder, 'tok', 'f'))
if held ~= token or tonumber(now) > fence then
  return 0
end
redis.call('HSET', holder, 'f', ARGV[2])
redis.call('HSET', memory, 'f', ARGV[2])
return 1
