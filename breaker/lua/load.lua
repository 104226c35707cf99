return reply()
