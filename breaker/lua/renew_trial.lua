-- ARGV  4 token
prune()
if redis.call('ZSCORE', KEYS[2], ARGV[4]) then lease(ARGV[4]) end
return reply()
