-- Keep the index of held locks where the scripts of a lock cannot reach it.
-- KEYS   index of held locks
-- ARGV   holder key, held for so many ms from now (0 when it is not any more)
-- Reply  1
local holder, lease = ARGV[1], tonumber(ARGV[2])
if lease > 0 then
  local clock = redis.call('TIME')
  local expiry = clock[1] * 1000000 + clock[2] + lease * 1000
  redis.call('ZADD', KEYS[1], string.format('%.0f', expiry), holder)
else
  redis.call('ZREM', KEYS[1], holder)
end
return 1
