-- ARGV  5 token
if prune() > 0 then save() end
if redis.call('ZSCORE', KEYS[2], ARGV[5]) then lease(ARGV[5]) end
return reply()
