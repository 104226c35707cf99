"""The product's settings, on a busy machine.

It stalls a healthy server, or who reads its reply, for longer than the product waits.
"""

from config.settings import *  # noqa: F403
from config.settings import CACHES

for _alias in CACHES.values():
    _alias["OPTIONS"] |= {"SOCKET_TIMEOUT": 10.0, "SOCKET_CONNECT_TIMEOUT": 10.0}
