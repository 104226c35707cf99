-- Take a share from the holder that is meant, tell it so, and hand its room on.
-- KEYS   holders, queue, records, memory, grants, [index]
-- ARGV   fence of that share, a name for this call of a token's length
-- Reply  {1 taken | 2 taken before by this call | 0 nobody holds one under that fence, more}
--        more = 1: waiters are left to look at, so ask again
local expected, me = unpack(ARGV)
local now = microseconds()
drop_expired(now)
local gone = call('HGET', memory, 'x') or ''
local answer = string.find(gone, me, 1, true) and 2 or 0

local shares = answer == 0 and call('HGETALL', grants) or {}
for place = 1, #shares, 2 do
  local token = shares[place]
  local fence, _, _, _, _, channel = string.match(shares[place + 1], GRANT)
  if fence == expected then
    -- First of all writes, because a full server refuses a script only until its first write.
    drop(token)
    -- The holder's own retries must not take a share again, nor this call's another holder's.
    call('HSET', memory, 'x', string.sub(me .. token .. gone, 1, 8 * #me))
    call('HINCRBY', memory, 'v', 1)
    call('PEXPIRE', memory, MEMORY_MS)
    tell(channel, 'x ' .. token .. ' 0 ' .. holder)
    answer = 1
    break
  end
end
return {answer, settle(now)}
