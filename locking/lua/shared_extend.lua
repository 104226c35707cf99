-- Give a share at least so much longer; a share that is gone is never made again.
-- KEYS   holders, queue, records, memory, grants, [index]
-- ARGV   token, lease ms
-- Reply  1 done | 0 not held by this token
local token, lease = unpack(ARGV)
local now = microseconds()
drop_expired(now)
local expiry = call('ZSCORE', holder, token)
if expiry then
  if tonumber(expiry) < now + lease * 1000 then
    hold(token, now, lease)
  end
  call('PEXPIRE', memory, MEMORY_MS)
end
settle(now)
return expiry and 1 or 0
