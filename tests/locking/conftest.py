from collections.abc import Callable, Iterator

import pytest
import redis
from django.test import override_settings
from django_redis import get_redis_connection

from config.redis import caches
from tests.locking.proxy import Proxy
from tests.servers import Valkey, scratch

Use = Callable[[str], None]


@pytest.fixture
def store() -> redis.Redis:
    """The database that keeps the locks, to look behind the API."""
    return get_redis_connection("locks")


@pytest.fixture
def use() -> Iterator[Use]:
    """Point the locks at another server for the rest of the test."""
    overrides = []

    def point(url: str) -> None:
        override = override_settings(CACHES=caches(url))
        override.enable()
        overrides.append(override)

    yield point
    for override in reversed(overrides):
        override.disable()


@pytest.fixture
def proxy(own_valkey: Valkey, use: Use) -> Iterator[Proxy]:
    """A line to a server of the test's own, on which replies get lost."""
    line = Proxy(scratch() / "proxy.sock", own_valkey.socket)
    use(f"unix://{line.path}")
    yield line
    line.close()
