"""Grants that a replica, or the append-only file, must have."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from locking import LockInvalid, LockNotDurable, LockUnavailable, lock, semaphore
from locking.durability import Confirm, Durability, confirmation, met
from tests.locking.conftest import Use
from tests.servers import PortValkey, wait_until


@pytest.fixture
def primary(use: Use) -> Iterator[PortValkey]:
    server = PortValkey("--repl-diskless-sync-delay", "0", "--appendfsync", "always")
    use(f"redis://{server.address}/0")
    yield server
    server.stop()


@pytest.fixture
def replica(primary: PortValkey) -> Iterator[PortValkey]:
    server = PortValkey("--replicaof", "127.0.0.1", str(primary.port))
    wait_until(lambda: b"state=online" in primary.ask("INFO", "replication"))
    yield server
    server.stop()


def acquire(colour: str, **options):
    wanted = lock("n", **options)
    return wanted.acquire() if colour == "sync" else asyncio.run(wanted.aacquire())


both = pytest.mark.parametrize("colour", ["sync", "async"])


def held_by(server: PortValkey) -> bool:
    return server.database(1).exists("lock:{n}:l") == 1


@both
def test_a_grant_is_on_the_replica_when_it_is_told(primary, replica, colour):
    lease = acquire(colour, durability="replica")
    assert held_by(replica)
    lease.release()


@both
def test_a_grant_that_no_replica_has_is_taken_back(primary, replica, colour):
    acquire(colour, durability="replica").release()
    replica.pause()
    begun = time.monotonic()
    with pytest.raises(LockNotDurable) as caught:
        acquire(colour, durability="replica", wait=2)
    assert 1.0 < time.monotonic() - begun < 10
    assert caught.value.durability == "replica"
    assert isinstance(caught.value, LockUnavailable)
    assert not held_by(primary)
    replica.resume()
    acquire(colour, durability="replica").release()


def test_a_grant_waits_for_a_replica_longer_than_for_a_reply(primary):
    begun = time.monotonic()
    with pytest.raises(LockNotDurable):
        lock("n", durability="replica", wait=0).acquire()
    assert 1.5 < time.monotonic() - begun < 10
    assert not held_by(primary)


@both
def test_a_grant_is_in_the_file_when_it_is_told(primary, colour):
    primary.ask("CONFIG", "SET", "appendonly", "yes")
    wait_until(lambda: b"aof_rewrite_in_progress:0" in primary.ask("INFO", "persistence"))
    acquire(colour, durability="aof", lease=60)
    primary.stop()
    primary.arguments = (*primary.arguments, "--appendonly", "yes")
    primary.process = primary._start()
    assert held_by(primary)


@both
def test_without_a_file_no_grant_is_durable(primary, colour):
    with pytest.raises(LockNotDurable, match="durably"):
        acquire(colour, durability="aof")
    assert not held_by(primary)


def test_a_waiter_whose_turn_comes_is_confirmed_too(primary, replica):
    other = lock("n").acquire()

    async def main() -> None:
        waiting = asyncio.create_task(lock("n", durability="replica", wait=5).aacquire())
        while not primary.database(1).exists("lock:{n}:q"):
            await asyncio.sleep(0.01)
        await asyncio.to_thread(other.release)
        lease = await waiting
        assert int(replica.database(1).hget("lock:{n}:l", "f")) == lease.fence

    asyncio.run(main())


def test_shares_of_a_name_can_be_durable(primary, replica):
    semaphore("n", 2, durability="replica").acquire().release()


def test_another_wish_is_refused():
    with pytest.raises(LockInvalid, match="'disk'"):
        lock("n", durability="disk")


@pytest.mark.parametrize(
    ("durability", "left", "confirm"),
    [
        (Durability.REPLICA, 10, Confirm(("WAIT", 1, 2000), 2.0)),
        (Durability.AOF, 1, Confirm(("WAITAOF", 1, 0, 800), 0.8)),
        (Durability.AOF, 0, Confirm(("WAITAOF", 1, 0, 1), 0.0)),
    ],
)
def test_the_confirmation_ends_before_the_call_does(durability, left, confirm):
    assert confirmation(durability, left) == confirm


@pytest.mark.parametrize(
    ("answer", "enough"),
    [(0, False), (1, True), (2, True), ([0, 1], False), ([1, 0], True), (OSError(), False)],
)
def test_one_copy_is_enough(answer, enough):
    assert met(answer) is enough
