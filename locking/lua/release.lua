-- Free the lock if this token holds it, and hand it on.
-- KEYS   holder, queue, records, memory, [index]
-- ARGV   token, hold at least ms since the grant
-- Reply  1 released | 2 released before by this token | 0 not held by this token; and 4 more when
--        dead waiters are left to skip, so that it must be asked again
local token, least = ARGV[1], tonumber(ARGV[2])
local current = call('HGET', holder, 'tok')
local held, cooling = current == token, false

if held then
  local now = least > 0 and microseconds()
  local left = now and least - (now - call('HGET', holder, 'at')) / 1000
  cooling = now and left > 0
  -- First of all writes, because a full server refuses a script only until its first write.
  if cooling then
    call('PEXPIRE', holder, math.ceil(left))
    call('HSET', holder, 'tok', '-')
    list_expiry(now, left)
  else
    call('DEL', holder)
    if index then
      call('ZREM', index, holder)
    end
  end
end

local answer = 1
local released = call('HGET', memory, 'r')
if held then
  call('HSET', memory, 'r', string.sub(token .. (released or ''), 1, 8 * #token))
  if not released then
    call('PEXPIRE', memory, MEMORY_MS)
  end
else
  answer = released and string.find(released, token, 1, true) and 2 or 0
end

local free = (held or not current) and not cooling
local more = free and waits() and hand_off(microseconds()) == 'more'
return answer + (more and 4 or 0)
