if woke() then save() end
return reply()
