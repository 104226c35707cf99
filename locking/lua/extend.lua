-- Give a held lease at least so much longer; a lease that is gone is never made again. For a token
-- that was handed the lock, the call claims it.
-- KEYS   holder, queue, records, memory, [index]
-- ARGV   token, lease ms
-- Reply  1 done | 0 not held by this token
local holder, memory, index = KEYS[1], KEYS[4], KEYS[5]
local token, lease = ARGV[1], tonumber(ARGV[2])
if redis.call('HGET', holder, 'tok') ~= token then
  return 0
end
if redis.call('PTTL', holder) < lease then
  redis.call('PEXPIRE', holder, lease)
  if index then
    local clock = redis.call('TIME')
    local expiry = clock[1] * 1000000 + clock[2] + lease * 1000
    redis.call('ZADD', index, string.format('%.0f', expiry), holder)
  end
end
redis.call('HDEL', holder, 'st')
redis.call('PEXPIRE', memory, 604800000)
return 1
