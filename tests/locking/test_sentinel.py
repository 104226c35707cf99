"""A primary dies, or is replaced, and Sentinel knows the next one."""

import signal
import time
from collections.abc import Iterator

import pytest
import redis

from locking import LockUnavailable, connections
from tests.locking.conftest import Use
from tests.locking.grants import after_promotion, in_both_colours
from tests.servers import Watched


@pytest.fixture
def watched(use: Use) -> Iterator[Watched]:
    servers = Watched()
    use(servers.url)
    yield servers
    servers.stop()


@pytest.mark.race
def test_locks_survive_the_death_of_a_primary_and_fences_keep_rising(watched: Watched):
    with in_both_colours() as grants:
        fences = [grant().fence for grant in grants * 2]
        watched.primary.stop()
        for grant in grants:
            with pytest.raises(LockUnavailable):
                grant()
        watched.wait_for_promotion()
        fences += [after_promotion(grant).fence for grant in grants * 2]
        assert fences == sorted(set(fences))


@pytest.mark.race
def test_a_connection_to_a_primary_that_was_demoted_is_dropped(watched: Watched):
    with in_both_colours() as grants:
        fences = [grant().fence for grant in grants]
        with redis.Redis(port=watched.ports[0]) as sentinel:
            sentinel.execute_command("SENTINEL", "FAILOVER", watched.service)
        watched.wait_for_promotion()
        # Sentinel does the same some seconds later.
        watched.primary.ask("REPLICAOF", "127.0.0.1", str(watched.replica.port))
        fences += [after_promotion(grant).fence for grant in grants]
        assert fences == sorted(set(fences))
        with redis.Redis(port=watched.replica.port, db=1) as promoted:
            assert int(promoted.hget("lock:{n}:s", "f")) == fences[-1]


def test_a_silent_sentinel_is_passed_over_and_without_any_the_store_is_unavailable(
    watched: Watched,
):
    watched.watchers[0].send_signal(signal.SIGSTOP)
    with in_both_colours() as grants:
        begun = time.monotonic()
        for grant in grants:
            grant()
        assert time.monotonic() - begun < 10
    for process in watched.watchers:
        process.kill()
        process.wait()
    connections._stores.clear()
    with in_both_colours() as grants:
        for grant in grants:
            with pytest.raises(LockUnavailable):
                grant()
