from collections.abc import Iterator

import pytest
import redis

from tests.breaker.benches import Bench, LocalBench, SharedBench
from tests.servers import valkey_url


@pytest.fixture
def server() -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(valkey_url()) as client:
        yield client


@pytest.fixture(params=["local", "shared"])
def bench(request: pytest.FixtureRequest, server: "redis.Redis") -> Bench:
    return LocalBench() if request.param == "local" else SharedBench(server)
