-- Make sure that a token neither holds the lock nor waits for it.
-- KEYS   holder, queue, records, memory, [index]
-- ARGV   token, a call with it may still be on its way (0 or 1)
-- Reply  1
local holder, queue, records, memory, index = unpack(KEYS)
local token, pending = unpack(ARGV)
redis.call('ZREM', queue, token)
redis.call('HDEL', records, token)
if redis.call('HGET', holder, 'tok') == token then
  redis.call('DEL', holder)
  if index then
    redis.call('ZREM', index, holder)
  end
end
if pending == '1' then
  local abandoned = redis.call('HGET', memory, 'x') or ''
  redis.call('HSET', memory, 'x', string.sub(token .. abandoned, 1, 8 * #token))
  redis.call('PEXPIRE', memory, 604800000)
end
return 1
