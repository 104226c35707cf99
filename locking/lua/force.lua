-- Take the lock from the holder that is meant, tell it so, and hand the lock on.
-- KEYS   holder, queue, records, memory, [index]
-- ARGV   fence of that holder, a name for this call of a token's length
-- Reply  {1 taken | 2 taken before by this call | 0 not held under that fence, more}
--        more = 1: dead waiters are left to skip, so ask again
local expected, me = unpack(ARGV)
local token, fence, who = unpack(call('HMGET', holder, 'tok', 'f', 'who'))
local gone = call('HGET', memory, 'x') or ''
local answer = string.find(gone, me, 1, true) and 2 or 0

if token and fence == expected then
  -- First of all writes, because a full server refuses a script only until its first write.
  call('DEL', holder)
  if index then
    call('ZREM', index, holder)
  end
  -- The holder's own retries must not take the lock again, nor this call's the next holder's.
  local victim = token == '-' and '' or token
  call('HSET', memory, 'x', string.sub(me .. victim .. gone, 1, 8 * #me))
  call('HINCRBY', memory, 'v', 1)
  call('PEXPIRE', memory, MEMORY_MS)
  if victim ~= '' then
    tell(string.match(who, '^%S+'), 'x ' .. token .. ' 0 ' .. holder)
  end
  answer, token = 1, nil
end

local free = answer > 0 and not token
local more = free and waits() and hand_off(microseconds()) == 'more'
return {answer, more and 1 or 0}
