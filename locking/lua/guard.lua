-- Prelude of a guarded acquire: the store's copy of the database's word is still there.
-- KEYS   of acquire; then a hash {word, due: µs until which nothing is granted}
-- ARGV   of acquire; then the database's word, ms of quarantine
-- Reply  that of acquire | {-2, ms left, 1 if this call is the one that noticed the loss}
do
  local key, word, ms = KEYS[#KEYS], ARGV[#ARGV - 1], ARGV[#ARGV]
  local copy, due = unpack(redis.call('HMGET', key, 'word', 'due'))
  local lost = copy ~= word
  if lost or due then
    local clock = redis.call('TIME')
    local now = clock[1] * 1000000 + clock[2]
    if lost then
      due = now + ms * 1000
      redis.call('HSET', key, 'word', word, 'due', string.format('%.0f', due))
    end
    if now < tonumber(due) then
      return {-2, math.ceil((due - now) / 1000), lost and 1 or 0}
    end
    redis.call('HDEL', key, 'due')
  end
end
