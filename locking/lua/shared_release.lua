-- End a share, and hand its room on.
-- KEYS   holders, queue, records, memory, grants, [index]
-- ARGV   token
-- Reply  1 released | 2 released before by this token | 0 not held by this token; and 4 more when
--        waiters are left to look at, so that it must be asked again
local token = ARGV[1]
local now = microseconds()
drop_expired(now)
local released = call('HGET', memory, 'r') or ''
local answer = string.find(released, token, 1, true) and 2 or 0
if call('ZSCORE', holder, token) then
  -- First of all writes, because a full server refuses a script only until its first write.
  drop(token)
  call('HSET', memory, 'r', string.sub(token .. released, 1, 8 * #token))
  call('PEXPIRE', memory, MEMORY_MS)
  answer = 1
end
return answer + 4 * settle(now)
