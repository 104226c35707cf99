-- Before the preludes of release, which take longer to build than this to run: the token holds the
-- lock and nobody waits for it. KEYS, ARGV and reply are those of release.
do
  local call, token = redis.call, ARGV[1]
  local holder, memory, index = KEYS[1], KEYS[4], KEYS[5]
  if ARGV[2] == '0' and call('EXISTS', KEYS[2]) == 0 and call('HGET', holder, 'tok') == token then
    call('DEL', holder)
    if index then
      call('ZREM', index, holder)
    end
    local released = call('HGET', memory, 'r')
    call('HSET', memory, 'r', string.sub(token .. (released or ''), 1, 8 * #token))
    if not released then
      call('PEXPIRE', memory, 604800000)
    end
    return {1, 0}
  end
end
