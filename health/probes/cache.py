"""Does a cache take, keep and drop what it is given?"""

from secrets import token_hex
from typing import Any

import redis
from django.conf import settings
from django_redis.pool import get_connection_factory
from redis.backoff import NoBackoff
from redis.retry import Retry

from health.verdict import CheckResult, Reason, Status

from .probe import Probe

SOCKET_SECONDS = 0.3
# What INFO calls them, and what they are called here.
VALUES = {
    "used_memory": "usedMemoryBytes",
    "maxmemory": "maxMemoryBytes",
    "evicted_keys": "evictedKeys",
}


class Cache(Probe):
    """Writes, reads and deletes: a PING alone passes on a full or read-only server."""

    name = "cache"
    kind = "datastore"
    deadline = 0.7

    def __init__(self, alias: str) -> None:
        self.component = alias

    def run(self) -> CheckResult:
        factory = get_connection_factory(options=limited(self._options()))
        pool = factory.get_connection_pool(factory.make_connection_params(self._url()))
        client = factory.redis_client_cls(connection_pool=pool)
        prefix = settings.CACHES[self.component].get("KEY_PREFIX", "")
        # Of this run alone: another process, or a host of the same name, would delete it.
        key = f"{prefix}:health:{token_hex(8)}"
        try:
            client.set(key, "1", ex=60)
            kept = client.get(key)
            client.delete(key)
            values = memory(client)
        finally:
            pool.disconnect()
        if not kept:
            return CheckResult(Status.FAIL, Reason.ERROR, values=values)
        return CheckResult(Status.PASS, values=values)

    def _url(self) -> str:
        """The primary: django-redis takes one URL, a comma list or a list, primary first."""
        location: str | list[str] = settings.CACHES[self.component]["LOCATION"]
        return location.split(",")[0] if isinstance(location, str) else location[0]

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = settings.CACHES[self.component].get("OPTIONS", {})
        return options


def limited(options: dict[str, Any]) -> dict[str, Any]:
    """Asked once: redis-py alone would ask eleven times, and each Sentinel as often."""
    once = {"retry": Retry(NoBackoff(), 0)}
    seconds = {"socket_timeout": SOCKET_SECONDS, "socket_connect_timeout": SOCKET_SECONDS}
    return {
        **options,
        "SOCKET_TIMEOUT": SOCKET_SECONDS,
        "SOCKET_CONNECT_TIMEOUT": SOCKET_SECONDS,
        "CONNECTION_POOL_KWARGS": {**options.get("CONNECTION_POOL_KWARGS", {}), **once},
        "SENTINEL_KWARGS": {**options.get("SENTINEL_KWARGS", {}), **seconds, **once},
    }


def memory(client: "redis.Redis") -> dict[str, float]:
    """Nothing where this user may not ask."""
    try:
        told = client.info()
    except redis.ResponseError:
        return {}
    return {name: told[word] for word, name in VALUES.items() if word in told}
