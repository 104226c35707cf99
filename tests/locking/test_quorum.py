"""Locks on most of five independent servers, some of which die or fall silent."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.test import override_settings

from config.redis import caches
from locking import LockBusy, LockInvalid, LockLost, LockUnavailable, lock, quorum_lock
from locking.errors import LockExpired
from locking.quorum import QuorumLease
from tests.locking.workers import forked
from tests.rounds import can
from tests.servers import Valkey, scratch, wait_until

ALIASES = [f"q{number}" for number in range(5)]


@pytest.fixture(scope="module")
def started() -> Iterator[list[Valkey]]:
    servers = [Valkey(scratch()) for _ in ALIASES]
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture
def servers(started: list[Valkey]) -> Iterator[list[Valkey]]:
    made = {
        alias: caches(server.url)["locks"] for alias, server in zip(ALIASES, started, strict=True)
    }
    for one in made.values():  # a busy machine makes the others silent too, for a moment
        one["OPTIONS"] |= {"SOCKET_TIMEOUT": 2.0, "SOCKET_CONNECT_TIMEOUT": 2.0}
    with override_settings(CACHES=caches(started[0].url) | made):
        yield started
    for server in started:
        if server.process.poll() is None:
            server.resume()
        else:
            server.restart()
        server.ask("FLUSHALL")


def acquire(colour: str, **options) -> QuorumLease:
    wanted = quorum_lock("n", caches=ALIASES, **options)
    return wanted.acquire() if colour == "sync" else asyncio.run(wanted.aacquire())


def release(colour: str, lease: QuorumLease) -> None:
    if colour == "sync":
        lease.release()
    else:
        asyncio.run(lease.arelease())


def held_on(servers: list[Valkey]) -> int:
    running = [server for server in servers if server.process.poll() is None]
    return sum(server.database(1).exists("lock:{n}:l") for server in running)


both = pytest.mark.parametrize("colour", ["sync", "async"])


@both
def test_it_is_held_everywhere_and_excludes_others(servers: list[Valkey], colour):
    def is_everywhere() -> bool:
        """Most are enough, so one that is slow may be left out."""
        lease = acquire(colour, wait=0)
        held = held_on(servers)
        fences = {server.database(1).hget("lock:{n}:l", "f") for server in servers}
        assert fences - {None} == {str(lease.fence).encode()}
        assert 20 < lease.remaining < 30
        with pytest.raises(LockBusy) as caught:
            acquire(colour, wait=0.1)
        assert 20 < caught.value.retry_after <= 30
        assert held_on(servers) >= held
        release(colour, lease)
        release(colour, lease)
        wait_until(lambda: held_on(servers) == 0)
        assert not lease.valid
        return held == 5

    assert can(is_everywhere)


@both
def test_it_outlives_two_servers_of_five_and_not_three(servers: list[Valkey], colour):
    lease = acquire(colour)
    servers[0].stop()
    servers[1].pause()
    with pytest.raises(LockBusy):
        acquire(colour, wait=0)
    release(colour, lease)
    begun = time.monotonic()
    again = acquire(colour, wait=0)
    assert time.monotonic() - begun < 6  # two seconds for the silent one
    assert again.fence > lease.fence
    release(colour, again)
    servers[2].stop()
    with pytest.raises(LockUnavailable):
        acquire(colour, wait=0)
    assert held_on([servers[3], servers[4]]) == 0


@both
def test_why_most_servers_refuse_is_told(servers: list[Valkey], colour):
    for server in servers[:3]:
        server.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(LockUnavailable, match=r"it is full \(OOM\)"):
            acquire(colour, wait=0)
    finally:
        for server in servers[:3]:
            server.ask("CONFIG", "SET", "maxmemory", "0")


def test_fences_rise_over_majorities_that_share_but_one_server(servers: list[Valkey]):
    """Whose clocks differ: the one that both ask is the slowest."""
    for ahead, server in enumerate((servers[0], servers[1]), 1):
        server.database(1).hset("lock:{n}:s", "f", str(int((time.time() + 3600 * ahead) * 1e6)))
    servers[3].stop(), servers[4].stop()
    first = acquire("sync")
    assert first.fence > (time.time() + 3600) * 1e6
    first.release()
    for server in (servers[3], servers[4]):
        server.restart()
    servers[0].stop(), servers[1].stop()
    assert acquire("sync").fence > first.fence


@pytest.mark.race
def test_of_many_at_once_one_holds_it(servers: list[Valkey]):
    inside, most, fences = 0, 0, []
    counting = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        with quorum_lock("n", caches=ALIASES, wait=30) as lease:
            with counting:
                inside += 1
                most = max(most, inside)
                fences.append(lease.fence)
            time.sleep(0.002)
            with counting:
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    servers[2].stop()
    for thread in threads:
        thread.join()
    assert (most, len(fences)) == (1, 6)
    assert fences == sorted(set(fences))


def test_a_lease_is_extended_while_most_servers_have_it(servers: list[Valkey]):
    lease = acquire("sync", lease=20)
    servers[0].database(1).flushdb()
    servers[1].stop()
    time.sleep(0.5)
    before = lease.remaining
    lease.extend()
    assert lease.remaining > before
    asyncio.run(lease.aextend())
    servers[2].database(1).flushdb()
    with pytest.raises(LockUnavailable):  # two have it, two have not, one does not say
        lease.extend()
    servers[3].database(1).flushdb()
    with pytest.raises(LockLost):
        lease.extend()


@pytest.mark.race
def test_a_lease_that_ran_out_is_told(servers: list[Valkey]):
    lease = acquire("sync", lease=1)
    lease.check()
    time.sleep(1.1)
    with pytest.raises(LockExpired):
        lease.check()
    with pytest.raises(LockLost):
        lease.release()


@both
def test_a_release_without_an_answer_can_be_repeated(servers: list[Valkey], colour):
    lease = acquire(colour)
    for server in servers[:3]:
        server.ask("CONFIG", "SET", "min-replicas-to-write", "1")
    with pytest.raises(LockUnavailable):
        release(colour, lease)
    assert held_on(servers) == 3
    assert not lease.valid
    for act in (lease.check, lease.extend):
        with pytest.raises(LockLost):
            act()
    for server in servers[:3]:
        server.ask("CONFIG", "SET", "min-replicas-to-write", "0")
    release(colour, lease)
    release(colour, lease)
    assert held_on(servers) == 0


def test_a_release_that_landed_unheard_is_no_loss(servers: list[Valkey]):
    lease = acquire("sync")
    for server in servers[:3]:
        server.pause()
    with pytest.raises(LockUnavailable):
        lease.release()
    for server in servers[:3]:
        server.resume()
        server.database(1).flushdb()
    lease.release()


def leave(lease: QuorumLease) -> None:
    with lease:
        pass


@pytest.mark.parametrize("act", [QuorumLease.release, QuorumLease.extend, QuorumLease.check, leave])
def test_to_a_forked_child_the_lease_of_its_parent_is_lost(servers: list[Valkey], act: Callable):
    lease = acquire("sync", wait=0)
    assert forked(lambda: lost(act, lease)) == 0
    assert lease.valid
    assert held_on(servers) == 5


def lost(act: Callable, lease: QuorumLease) -> None:
    with pytest.raises(LockLost) as caught:
        act(lease)
    assert (type(caught.value), lease.valid) == (LockLost, False)


def test_the_error_of_a_block_outranks_that_of_its_release(servers: list[Valkey]):
    with pytest.raises(ZeroDivisionError), quorum_lock("n", caches=ALIASES):
        for server in servers:
            server.database(1).flushdb()
        _ = 1 / 0
    with pytest.raises(LockLost), quorum_lock("n", caches=ALIASES):
        for server in servers:
            server.database(1).flushdb()


def test_blocks_of_tasks(servers: list[Valkey]):
    async def main() -> None:
        async def one() -> None:
            async with quorum_lock("n", caches=ALIASES, wait=20) as lease:
                lease.check()
                fences.append(lease.fence)

        fences: list[int] = []
        await asyncio.gather(*(one() for _ in range(4)))
        assert fences == sorted(set(fences))

    asyncio.run(main())
    assert held_on(servers) == 0


def test_an_acquire_that_is_cancelled_leaves_nothing(servers: list[Valkey]):
    async def once(steps: int) -> bool:
        task = asyncio.create_task(quorum_lock("n", caches=ALIASES).aacquire())
        for _ in range(steps):
            await asyncio.sleep(0)
        if task.done():
            return False
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return True

    steps = 0
    while asyncio.run(once(steps)):
        assert held_on(servers) == 0
        steps += 1
    assert steps > 3


def test_a_plain_lock_by_the_same_name_counts_as_held(servers: list[Valkey]):
    with lock("n"):
        acquire("sync", wait=0).release()  # one server of five
    assert held_on(servers) == 0


@pytest.mark.parametrize("aliases", [["q0", "q1"], ["q0", "q1", "q1"], ["q0"] * 3])
def test_too_few_servers_are_refused(aliases):
    with pytest.raises(LockInvalid, match="caches must be 3 or more different aliases"):
        quorum_lock("n", caches=aliases)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"floor": "x"}, "floor must be a fence"),
        ({"floor": -1}, "floor must be a fence"),
        ({"caches": "locks"}, "caches must be a list of aliases, not str"),
        ({"caches": ["q0", "q1", "q7"]}, "caches: there is no cache 'q7'"),
        ({"lease": "x"}, "lease must be seconds"),
    ],
    ids=repr,
)
def test_what_cannot_be_is_refused_before_anything_is_sent(servers, options, reason):
    with pytest.raises(LockInvalid, match=reason):
        quorum_lock("n", **{"caches": ALIASES, **options})


def test_two_names_of_one_server_are_not_two_servers():
    def store(location: str) -> dict[str, str]:
        return {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": location}

    made = {
        "a": store("redis://localhost:6379/1"),
        "b": store("redis://localhost/2"),
        "c": store("unix:///run/valkey.sock?db=1"),
        "d": store("redis://:password@localhost/1"),
        "e": store("unix:///run/valkey.sock?db=1&socket_timeout=1"),
    }
    with override_settings(CACHES=made | {"default": made["a"]}):
        quorum_lock("n", caches=["a", "b", "c"])
        with pytest.raises(LockInvalid, match="caches: 'a' and 'd' are the same server"):
            quorum_lock("n", caches=["a", "b", "d"])
        with pytest.raises(LockInvalid, match="caches: 'c' and 'e' are the same server"):
            quorum_lock("n", caches=["c", "b", "e"])


def test_one_service_that_sentinels_watch_is_one_server():
    services = {"a": "one", "b": "two", "c": "three", "d": "one"}
    made = {
        alias: caches(f"redis+sentinel://h:1,h:2/{service}/0")["locks"]
        for alias, service in services.items()
    }
    with override_settings(CACHES=made | {"default": made["a"]}):
        quorum_lock("n", caches=["a", "b", "c"])
        with pytest.raises(LockInvalid, match="'a' and 'd' are the same server"):
            quorum_lock("n", caches=["a", "b", "d"])
