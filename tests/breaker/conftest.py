from collections.abc import Iterator

import pytest
import redis
from pytest_django.fixtures import Settings

from breaker.agent import agent
from config.redis import caches
from tests.breaker.benches import Bench, LocalBench, SharedBench
from tests.servers import Valkey, valkey_url


@pytest.fixture
def server() -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(valkey_url()) as client:
        yield client


@pytest.fixture(params=["local", "shared"])
def bench(request: pytest.FixtureRequest, server: "redis.Redis") -> Bench:
    return LocalBench() if request.param == "local" else SharedBench(server)


@pytest.fixture
def own_store(own_valkey: Valkey, settings: Settings) -> Iterator[Valkey]:
    """A store of the test's own, to kill and restart; a busy machine does not make it silent."""
    yield from _used(own_valkey, settings, SOCKET_TIMEOUT=10.0, SOCKET_CONNECT_TIMEOUT=10.0)


@pytest.fixture
def hasty_store(own_valkey: Valkey, settings: Settings) -> Iterator[Valkey]:
    """One to pause, given up as soon as the product gives up its store."""
    yield from _used(own_valkey, settings)


def _used(server: Valkey, settings: Settings, **options: float) -> Iterator[Valkey]:
    alias = caches(server.url)["breaker"]
    alias["OPTIONS"] |= options
    settings.CACHES = {**settings.CACHES, "breaker": alias}
    agent.forget()
    yield server
    server.resume()
    agent.forget()
