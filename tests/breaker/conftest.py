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
    """A store of the test's own, to pause, kill and restart."""
    settings.CACHES = {**settings.CACHES, "breaker": caches(own_valkey.url)["breaker"]}
    agent.forget()
    yield own_valkey
    own_valkey.resume()
    agent.forget()
