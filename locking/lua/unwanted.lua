-- Before the preludes of release, which take longer to build than this to run: the token holds the
-- lock and nobody waits for it. KEYS, ARGV and reply are those of release.
do
  local K, call, token = KEYS, redis.call, ARGV[1]
  local holder, memory = K[1], K[4]
  local known = call('HMGET', memory, 'q', 'r')
  if ARGV[2] == '0' and not known[1] and call('HGET', holder, 'tok') == token then
    call('DEL', holder)
    if K[5] then
      call('ZREM', K[5], holder)
    end
    local released = known[2]
    if released then
      call('HSET', memory, 'r', token .. string.sub(released, 1, 7 * #token))
    else
      call('HSET', memory, 'r', token)
      call('PEXPIRE', memory, 604800000)
    end
    return 1
  end
end
