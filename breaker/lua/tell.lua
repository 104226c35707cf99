-- KEYS  1 the options in code, a hash of JSON by name   2 the names in code, a zset by seconds
--       3 the namespace's version
-- ARGV  1 the most of either   2... of each circuit: name, options or nothing, '1' if it is in code
local most, time = tonumber(ARGV[1]), redis.call('TIME')
-- Whoever was told sees by it when all is lost.
redis.call('HSETNX', KEYS[3], 'born', time[1] .. '.' .. time[2])
local full = redis.call('HLEN', KEYS[1]) >= most
for i = 2, #ARGV, 3 do
  local name, options, standing = ARGV[i], ARGV[i + 1], ARGV[i + 2] == '1'
  if options ~= '' and not (full and redis.call('HEXISTS', KEYS[1], name) == 0) then
    redis.call('HSET', KEYS[1], name, options)
  end
  if standing then redis.call('ZADD', KEYS[2], time[1], name) end
end
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - most)
return redis.call('HGET', KEYS[3], 'born')
