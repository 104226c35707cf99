-- Before the preludes of acquire, which take longer to build than this to run: nobody holds the
-- lock and nobody waits for it. KEYS, ARGV and reply are those of acquire.
do
  local call, format = redis.call, string.format
  local holder, memory, index, token = KEYS[1], KEYS[4], KEYS[5], ARGV[1]
  if call('EXISTS', holder, KEYS[2]) == 0 then
    local last, grants, released, abandoned = unpack(call('HMGET', memory, 'f', 'n', 'r', 'x'))
    if not string.find((released or '') .. (abandoned or ''), token, 1, true) then
      local clock = call('TIME')
      local now = clock[1] * 1000000 + clock[2]
      local fence = math.max(now, (last or 0) + 1, ARGV[9] + 1)
      local text = format('%.0f', fence)
      call('HSET', holder, 'tok', token, 'f', text, 'at', format('%.0f', now),
        'chan', ARGV[4], 'actor', ARGV[10], 'meta', ARGV[11])
      call('PEXPIRE', holder, ARGV[2])
      call('HSET', memory, 'f', text, 'n', (grants or 0) + 1)
      call('PEXPIRE', memory, 604800000)
      if index then
        call('ZADD', index, format('%.0f', now + ARGV[2] * 1000), holder)
      end
      return {1, fence}
    end
  end
end
