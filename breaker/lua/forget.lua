-- KEYS  1 the names, a zset   2... circuits
-- ARGV  the name of each
local gone = 0
for i, name in ipairs(ARGV) do
  if redis.call('EXISTS', KEYS[i + 1]) == 0 then
    gone = gone + redis.call('ZREM', KEYS[1], name)
  end
end
return gone
