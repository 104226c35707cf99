-- Make sure that a token neither holds the lock nor waits for it.
-- KEYS   holder, queue, records, memory, [index]
-- ARGV   token, and what is known of it: 0 all its calls were answered, 1 one may still be on its
--        way, 2 it was handed the lock and nobody is left to claim it
-- Reply  1
local token, known = unpack(ARGV)
local current = call('HGET', holder, 'tok')
if known == '2' and call('HGET', holder, 'st') ~= 'granted' then
  return 1
end
leave_queue(token)
if current == token then
  call('DEL', holder)
  if index then
    call('ZREM', index, holder)
  end
end
if known == '1' then
  local abandoned = call('HGET', memory, 'x') or ''
  call('HSET', memory, 'x', string.sub(token .. abandoned, 1, 8 * #token))
  call('PEXPIRE', memory, MEMORY_MS)
end
if (current == token or not current) and waits() then
  hand_off(microseconds())
end
return 1
