-- KEYS  the sorted sets of tries, one for each limit: members are tries, scores their times in µs
-- ARGV  1 this try; then for each key how many tries it allows, and in how many µs
-- Reply 0, and the try is in all of them; or it is in none, and the µs until it is worth trying again;
--       then for each key how many tries are left, and the µs until there is one more
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local wait = 0
local reply = {0}
for i, key in ipairs(KEYS) do
  local tries, window = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now - window))
  local over = redis.call('ZCARD', key) - tries
  local first = math.max(over, 0)
  local leaves = redis.call('ZRANGE', key, first, first, 'WITHSCORES')
  local more = math.max((leaves[2] or now) + window - now, 1)
  if over >= 0 then
    wait = math.max(wait, more)
  end
  reply[2 * i], reply[2 * i + 1] = -math.min(over, 0), more
end
if wait == 0 then
  for i, key in ipairs(KEYS) do
    redis.call('ZADD', key, string.format('%.0f', now), ARGV[1])
    redis.call('PEXPIRE', key, math.ceil(ARGV[2 * i + 1] / 1000))
    reply[2 * i] = reply[2 * i] - 1
  end
end
reply[1] = wait
return reply
