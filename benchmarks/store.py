"""What the store itself tells, and the client that all other contenders share."""

from functools import cache

import redis
from django.conf import settings

from locking import lock


def url() -> str:
    """The database that keeps our locks, which the others use too."""
    return str(settings.CACHES["locks"]["LOCATION"])


# What this process itself says: to learn what was said, and by its listener for locks.
OWN = {"cmdstat_info", "cmdstat_ping"}


@cache
def client() -> redis.Redis:
    return redis.Redis.from_url(url())


def seconds_left(name: str) -> float:
    """Until the lease of the lock runs out; negative when it is free."""
    holder, *_ = lock(name).keys
    return float(client().pttl(holder)) / 1000


def waiting(name: str) -> int:
    _, queue, *_ = lock(name).keys
    return int(client().zcard(queue))


def commands() -> int:
    """Performed by the server so far, those in scripts included."""
    statistics = client().info("commandstats")
    return sum(stat["calls"] for name, stat in statistics.items() if name not in OWN)
