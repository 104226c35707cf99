-- Make sure that a token neither holds a share nor waits for one.
-- KEYS   holders, queue, records, memory, grants, [index]
-- ARGV   token, and what is known of it, as for abandon
-- Reply  1
local token, known = unpack(ARGV)
local now = microseconds()
drop_expired(now)
local mine = call('HGET', grants, token)
if known == '2' and not (mine and string.find(mine, '^%S+ %S+ %S+ %S+ granted ')) then
  settle(now)
  return 1
end
leave_queue(token)
drop(token)
if known == '1' then
  local abandoned = call('HGET', memory, 'x') or ''
  call('HSET', memory, 'x', string.sub(token .. abandoned, 1, 8 * #token))
  call('PEXPIRE', memory, MEMORY_MS)
end
settle(now)
return 1
