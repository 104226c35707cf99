-- What a thread or task waits for, as it lets others know.
-- KEYS   its record
-- ARGV   nothing to read it; a text and the ms to keep it, 0 to drop it
-- Reply  the text, or false
local record = KEYS[1]
local text, ms = unpack(ARGV)
if not text then
  return redis.call('GET', record)
end
if ms == '0' then
  redis.call('DEL', record)
else
  redis.call('SET', record, text, 'PX', ms)
end
return text
