"""The four aliases on a real cluster."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache, caches
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.utils import timezone
from django_redis import get_redis_connection

from accounts import limiter, nonces, revocation
from accounts.errors import RateLimited
from accounts.limits import logins
from accounts.models import SpentNonce
from breaker import CircuitOpenError, circuit_breaker
from breaker.agent import agent
from config import redis
from health.probes import Cache
from health.verdict import Status
from tests.servers import Cluster, wait_until


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    servers = Cluster()
    yield servers
    servers.stop()


@pytest.fixture
def on_cluster(cluster: Cluster) -> Iterator[Cluster]:
    for node in cluster.nodes:
        if b"role:master" in node.ask("INFO", "replication"):
            node.ask("FLUSHALL")
    with override_settings(CACHES=redis.caches(cluster.url)):
        yield cluster


def test_each_alias_lives_on_the_node_of_its_own_tag(on_cluster: Cluster):
    for alias in caches.settings:
        caches[alias].set_many({str(number): number for number in range(50)})
        assert len(caches[alias].get_many(map(str, range(50)))) == 50
        assert get_redis_connection(alias).ping()
    keys = [set(node.ask("KEYS", "{*}:1:*")) for node in on_cluster.nodes]
    assert len(set.union(*keys)) == 200
    assert max(map(len, keys)) < 200


def test_clearing_the_cache_deletes_what_is_the_caches_and_nothing_else(on_cluster: Cluster):
    neighbour = get_redis_connection("default")
    neighbour.set("lock:{cache}:l", "on the same node")
    caches["breaker"].set("kept", 1)
    cache.set_many({str(number): number for number in range(1200)})
    cache.set("of another version", 1, version=7)
    cache.clear()
    assert not neighbour.keys("{cache}*")
    assert neighbour.exists("lock:{cache}:l")
    assert caches["breaker"].get("kept") == 1


def test_circuits_are_shared_through_a_cluster(on_cluster: Cluster):
    agent.forget()

    @circuit_breaker("cluster", failure_threshold=2, minimum_calls=1)
    def fails():
        raise OSError

    for _ in range(2):
        with pytest.raises(OSError):
            fails()
    wait_until(lambda: _is_open(fails))
    keys = [node.ask("KEYS", "cb:*") for node in on_cluster.primaries]
    assert sum(map(bool, keys)) == 1


def _is_open(function) -> bool:
    try:
        function()
    except CircuitOpenError:
        return True
    except OSError:
        return False


def test_the_health_of_a_cluster_is_probed(on_cluster: Cluster):
    result = Cache("default").run()
    assert result.status is Status.PASS
    assert "usedMemoryBytes" in result.values


def test_logins_are_limited_and_ends_of_sessions_told_through_a_cluster(on_cluster: Cluster):
    limits = logins(["2001:db8::/64", "2001:db8::/48"], 2)
    slot = limiter.take(limits)
    assert limiter.take(limits).member
    with pytest.raises(RateLimited):
        limiter.take(limits)
    limiter.give_back(limits, slot)
    assert limiter.take(limits).member
    revocation.announce(["a session", "another"])
    assert [revocation.has_ended(name) for name in ("a session", "another", "a third")] == [
        True, True, False,
    ]  # fmt: skip
    assert revocation.reachable()
    kept = [node.ask("KEYS", "{accounts}:*") for node in on_cluster.primaries]
    assert sorted(map(len, kept)) == [0, 0, 4]


def test_a_nonce_is_spent_on_a_cluster(on_cluster: Cluster, db: None):
    now = timezone.now()
    assert nonces.spend("key", "nonce", now=now)
    SpentNonce.objects.all().delete()
    assert not nonces.spend("key", "nonce", now=now)


def test_a_node_that_takes_over_is_found(on_cluster: Cluster):
    caches["breaker"].set("before", 1)
    first = on_cluster.primaries[0]
    on_cluster.replica.ask("CLUSTER", "FAILOVER", "TAKEOVER")
    wait_until(lambda: b"role:slave" in first.ask("INFO", "replication"))
    assert caches["breaker"].get("before") == 1
    caches["breaker"].set("after", 1)
    assert on_cluster.replica.ask("KEYS", "*after*")


@pytest.mark.parametrize("url", ["redis+cluster://h", "redis+cluster://h:1/3", "redis+cluster://"])
def test_a_url_that_makes_no_sense_names_the_variable(url: str):
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL"):
        redis.caches(url)
