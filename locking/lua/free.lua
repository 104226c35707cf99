-- Before the preludes of acquire, which take longer to build than this to run: nobody holds the
-- lock and nobody waits for it. KEYS, ARGV and reply are those of acquire.
do
  local K, A, call, format = KEYS, ARGV, redis.call, string.format
  local holder, memory, token = K[1], K[4], A[1]
  local known = call('HMGET', memory, 'q', 'f', 'n', 'r', 'x')
  if not known[1] and call('EXISTS', holder) == 0 then
    local last, grants, released, abandoned = known[2], known[3] or 0, known[4], known[5]
    if not (released and string.find(released, token, 1, true)
        or abandoned and string.find(abandoned, token, 1, true)) then
      local clock = call('TIME')
      local now = clock[1] * 1000000 + clock[2]
      local fence = math.max(now, (last or 0) + 1, A[3] + 1)
      local text = format('%.0f', fence)
      call('HSET', holder, 'tok', token, 'f', text,
        'at', fence == now and text or format('%.0f', now), 'who', A[4])
      call('PEXPIRE', holder, A[2])
      call('HSET', memory, 'f', text, 'n', grants + 1)
      -- Its week begins anew on each day on which it is used.
      if math.floor(now / 864e8) ~= math.floor((last or 0) / 864e8) then
        call('PEXPIRE', memory, 604800000)
      end
      if K[5] then
        call('ZADD', K[5], now + A[2] * 1000, holder)
      end
      return fence
    end
  end
end
