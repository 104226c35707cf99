-- KEYS  1 the names, a zset   2 the options in code, a hash   3 the names in code, a zset by seconds
--       4... circuits
-- ARGV  1 seconds for which a name in code is kept   2... the name of each circuit
--
-- What others keep under the keys of the code is theirs, and no reason to keep the names.
redis.pcall('ZREMRANGEBYSCORE', KEYS[3], '-inf', redis.call('TIME')[1] - ARGV[1])

local function left(reply)
  return type(reply) == 'number' and reply > 0
end

local gone = 0
for i = 2, #ARGV do
  local name = ARGV[i]
  if redis.call('EXISTS', KEYS[i + 2]) == 0 then
    local called = left(redis.call('ZREM', KEYS[1], name))
    local told = not redis.pcall('ZSCORE', KEYS[3], name)
      and left(redis.pcall('HDEL', KEYS[2], name))
    if called or told then gone = gone + 1 end
  end
end
return gone
