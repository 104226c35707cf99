-- Free the lock if this token holds it.
-- KEYS   holder, queue, records, memory, [index]
-- ARGV   token
-- Reply  1 released | 2 released before by this token | 0 not held by this token
local holder, memory, index = KEYS[1], KEYS[4], KEYS[5]
local token = ARGV[1]
local held = redis.call('HGET', holder, 'tok') == token
if held then
  -- First of all writes, because a full server refuses a script only until its first write.
  redis.call('DEL', holder)
end
local released = redis.call('HGET', memory, 'r')
if not held then
  return released and string.find(released, token, 1, true) and 2 or 0
end
redis.call('HSET', memory, 'r', string.sub(token .. (released or ''), 1, 8 * #token))
if not released then
  redis.call('PEXPIRE', memory, 604800000)
end
if index then
  redis.call('ZREM', index, holder)
end
return 1
