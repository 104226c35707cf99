-- KEYS  1 the namespace's version
-- A store that answers and takes nothing in, as a replica does, is of no use to circuits.
return redis.call('HSET', KEYS[1], 'knock', 1)
