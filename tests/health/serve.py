"""The product's server as a process of a test's own: a port, and options of Granian as JSON."""

import json
import sys

import django

if __name__ == "__main__":
    django.setup()
    from config import server

    server.serve("127.0.0.1", int(sys.argv[1]), **json.loads(sys.argv[2]))
