-- The word that the store has a copy of, and this one if it has none.
-- KEYS   a hash {word, due}
-- ARGV   word
-- Reply  word
redis.call('HSETNX', KEYS[1], 'word', ARGV[1])
return redis.call('HGET', KEYS[1], 'word')
