"""Locks on a real cluster whose slots move and whose nodes die."""

import asyncio
import gc
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from locking import (
    Lease,
    LockBusy,
    LockDeadlock,
    LockUnavailable,
    connections,
    control,
    holders,
    listening,
    lock,
    scripts,
)
from locking.cluster import AsyncClusterLine
from locking.connections import async_store
from locking.names import keys
from locking.routing import Node, Survey, slot
from locking.shards import Shard, Shards
from locking.steps import Run
from tests.locking.conftest import Use
from tests.locking.grants import after_promotion, in_both_colours
from tests.rounds import can
from tests.servers import Cluster, ClusterNode, PortValkey, wait_until

NAMES = [f"n{number}" for number in range(12)]


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[Cluster]:
    servers = Cluster()
    yield servers
    servers.stop()


@pytest.fixture
def cluster(shared_cluster: Cluster, use: Use) -> Iterator[Cluster]:
    """One whose nodes are not to be hurt."""
    use(shared_cluster.url)
    yield shared_cluster
    for node in shared_cluster.primaries:
        node.ask("FLUSHALL")
    wait_until(lambda: brought_back(shared_cluster, shared_cluster.primaries[0], at(first_on(0))))


@pytest.fixture
def own_cluster(use: Use) -> Iterator[Cluster]:
    servers = Cluster()
    use(servers.url)
    yield servers
    servers.stop()


def at(name: str) -> int:
    return slot(f"lock:{{{name}}}:l")


def first_on(node: int) -> str:
    """A lock's name whose keys are the business of that primary."""
    return next(name for name in NAMES if at(name) // 5461 == node)


def test_locks_are_spread_over_the_nodes_and_listed_together(cluster: Cluster):
    assert len({at(name) for name in NAMES}) == 12
    leases = [lock(name).acquire() for name in NAMES]
    assert all(node.ask("KEYS", "lock:{*}:l") for node in cluster.primaries)
    wait_until(lambda: len(control.held().rows) == 12)
    assert {row.name for row in control.held().rows} == set(NAMES)
    for lease in leases:
        lease.extend()
        lease.release()
    wait_until(lambda: not control.held().rows)


def test_tasks_lock_there_too(cluster: Cluster):
    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            for name in NAMES * 3:
                tasks.create_task(once(name))

    async def once(name: str) -> None:
        async with lock(name, wait=20) as lease:
            await lease.aextend()

    asyncio.run(main())
    assert not any(node.ask("KEYS", "lock:{*}:[lqw]") for node in cluster.primaries)


def test_a_lock_that_is_held_is_busy_for_both_colours(cluster: Cluster):
    with lock("n0"):
        with pytest.raises(LockBusy):
            lock("n0", wait=0).acquire()
        with pytest.raises(LockBusy):
            asyncio.run(lock("n0", wait=0).aacquire())


def test_scripts_that_a_node_does_not_know_are_sent_whole(cluster: Cluster):
    for node in cluster.primaries:
        node.ask("SCRIPT", "FLUSH")
    for name in NAMES:
        lock(name).acquire().release()


def test_many_go_to_each_node_at_once(cluster: Cluster):
    leases = [lock(name).acquire() for name in NAMES]
    leases[3].release()
    steps = [Run(scripts.EXTEND, keys("lock", x.name), (x.token, 60_000)) for x in leases]
    assert connections.line("locks").run_many(steps) == [int(x is not leases[3]) for x in leases]


def move(source: ClusterNode, target: ClusterNode, number: int) -> None:
    target.ask("CLUSTER", "SETSLOT", str(number), "IMPORTING", source.number)
    source.ask("CLUSTER", "SETSLOT", str(number), "MIGRATING", target.number)


def finish(cluster: Cluster, target: ClusterNode, number: int) -> None:
    for node in (target, *cluster.primaries):
        node.ask("CLUSTER", "SETSLOT", str(number), "NODE", target.number)


def brought_back(cluster: Cluster, home: ClusterNode, number: int) -> bool:
    """Whether all agree that the slot is at home, where it is sent as long as they do not."""
    if all(node.sends_to(number) == home.port for node in cluster.nodes):
        return True
    finish(cluster, home, number)
    # Gossip that is still under way may nevertheless give it back to where it was moved to.
    home.ask("CLUSTER", "BUMPEPOCH")
    return False


def carry(source: ClusterNode, target: ClusterNode, number: int) -> None:
    found = [key.decode() for key in source.ask("CLUSTER", "GETKEYSINSLOT", str(number), "100")]
    where = "127.0.0.1", str(target.port), "", "0", "5000", "KEYS"
    source.ask("MIGRATE", *where, *found)


def test_a_lock_whose_slot_is_half_way_is_waited_for(cluster: Cluster):
    name = first_on(0)
    number, (source, target, _) = at(name), cluster.primaries
    lease = lock(name).acquire()
    move(source, target, number)
    with pytest.raises(LockUnavailable):
        lock(name, wait=0.3).acquire()

    def arrive() -> None:
        carry(source, target, number)
        finish(cluster, target, number)

    later = threading.Timer(0.3, arrive)
    later.start()
    lease.extend()
    lease.release()
    later.join()
    assert target.ask("KEYS", f"lock:{{{name}}}:s")
    with in_both_colours(name) as grants:
        assert [grant().fence > lease.fence for grant in grants] == [True, True]


def test_a_lock_whose_keys_have_arrived_before_their_slot_is_asked_for_there(cluster: Cluster):
    name = first_on(0)
    number, (source, target, _) = at(name), cluster.primaries
    lease = lock(name).acquire()
    waiting = threading.Thread(target=lambda: lock(name, wait=20).acquire().release())
    waiting.start()
    wait_until(lambda: bool(source.ask("KEYS", f"lock:{{{name}}}:q")))
    move(source, target, number)
    carry(source, target, number)
    lease.extend()
    finish(cluster, target, number)
    lease.release()
    waiting.join()


def test_many_find_the_nodes_that_slots_moved_to(cluster: Cluster):
    name = first_on(0)
    number, (source, target, _) = at(name), cluster.primaries
    lease = lock(name).acquire()
    step = Run(scripts.EXTEND, keys("lock", name), (lease.token, 60_000))
    for here, there in ((source, target), (target, source)):
        move(here, there, number)
        carry(here, there, number)
        finish(cluster, there, number)
        assert connections.line("locks").run_many([step, step]) == [1, 1]


def hand_over(name: str, seconds: float = 20.0) -> float:
    """Seconds between a release and the return of the acquire that waited for it."""
    holding = lock(name).acquire()
    got: list[float] = []

    def wait() -> None:
        lease = lock(name, wait=seconds).acquire()
        got.append(time.monotonic())
        lease.release()

    waiting = threading.Thread(target=wait)
    waiting.start()
    channel = f"lock:{{{name}}}:c:{holders.process()}"
    wait_until(lambda: listening.listener("locks").hears(channel))
    wait_until(lambda: control.detail(name).waiting == 1)
    released = time.monotonic()
    holding.release()
    waiting.join()
    return got[0] - released


def test_a_lock_is_handed_over_by_the_node_that_keeps_it(cluster: Cluster):
    assert can(lambda: statistics.median(hand_over(name) for name in NAMES) < 0.02)
    assert not any(node.ask("PUBSUB", "SHARDCHANNELS") for node in cluster.primaries)


@pytest.mark.race
@pytest.mark.parametrize("act", [(Shards, "_wanted"), (Shard, "leave")], ids=["looks", "tells"])
def test_who_comes_while_the_last_one_leaves_is_listened_for(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, act: tuple[type, str]
):
    leaving = threading.Event()
    plain = getattr(*act)

    def pause() -> None:
        if threading.current_thread().name == "first" and not leaving.is_set():
            leaving.set()
            time.sleep(0.3)

    def slowly(self: object, channel: str) -> object:
        if act[1] == "leave":
            pause()
        wanted = plain(self, channel)
        if not wanted:
            pause()
        return wanted

    monkeypatch.setattr(*act, slowly)
    holding = lock("n0").acquire()

    def give_up() -> None:
        with suppress(LockBusy):
            lock("n0", wait=0.5).acquire()

    first = threading.Thread(target=give_up, name="first")
    first.start()
    channel = f"lock:{{n0}}:c:{holders.process()}"
    wait_until(lambda: listening.listener("locks").hears(channel))
    leaving.wait(30)
    got: list[float] = []

    def wait() -> None:
        with lock("n0", wait=20):
            got.append(time.monotonic())

    second = threading.Thread(target=wait)
    second.start()
    first.join()
    wait_until(lambda: listening.listener("locks").hears(channel))
    wait_until(lambda: control.detail("n0").waiting == 1)
    time.sleep(0.1)
    released = time.monotonic()
    holding.release()
    second.join()
    assert got[0] - released < 2.0  # or it would have asked by itself
    wait_until(lambda: not any(node.ask("PUBSUB", "SHARDCHANNELS") for node in cluster.primaries))


def test_a_task_is_handed_a_lock_too(cluster: Cluster):
    async def main() -> list[int]:
        async def one() -> None:
            async with lock("n0", wait=20) as lease:
                fences.append(lease.fence)

        fences: list[int] = []
        await asyncio.gather(*(one() for _ in range(30)))
        return fences

    fences = asyncio.run(main())
    assert fences == sorted(set(fences))
    assert len(fences) == 30


def test_who_waits_follows_the_slot(cluster: Cluster):
    name = first_on(0)
    number, (source, target, _) = at(name), cluster.primaries
    holding = lock(name).acquire()
    got: list[Lease] = []
    waiting = threading.Thread(target=lambda: got.append(lock(name, wait=20).acquire()))
    waiting.start()
    channel = f"lock:{{{name}}}:c:{holders.process()}"
    wait_until(lambda: bool(source.ask("PUBSUB", "SHARDNUMSUB", channel)[1]))
    wait_until(lambda: control.detail(name).waiting == 1)
    move(source, target, number)
    carry(source, target, number)
    finish(cluster, target, number)
    wait_until(lambda: bool(target.ask("PUBSUB", "SHARDNUMSUB", channel)[1]))
    holding.release()
    waiting.join()
    assert got[0].fence > holding.fence


@pytest.mark.race
def test_who_waits_at_a_node_that_dies_gets_the_lock_from_its_heir(own_cluster: Cluster):
    name = first_on(0)
    holding = lock(name, lease=3, renew=False).acquire()
    got: list[Lease] = []
    waiting = threading.Thread(target=lambda: got.append(lock(name, wait=20).acquire()))
    waiting.start()
    wait_until(lambda: control.detail(name).waiting == 1)
    own_cluster.primaries[0].stop()
    waiting.join()
    assert got[0].fence > holding.fence


@pytest.mark.race
def test_locks_survive_the_death_of_a_node(own_cluster: Cluster):
    name, other = first_on(0), first_on(1)
    with in_both_colours(name) as grants:
        fences = [grant().fence for grant in grants]
        elsewhere = lock(other).acquire()
        wait_until(lambda: own_cluster.replica.ask("INFO", "replication").count(b"link_status:up"))
        own_cluster.primaries[0].stop()
        for grant in grants:
            with pytest.raises(LockUnavailable):
                grant()
        elsewhere.extend()
        elsewhere.release()
        fences += [after_promotion(grant).fence for grant in grants]
        assert fences == sorted(set(fences))


@pytest.mark.race
def test_a_node_that_falls_silent_is_left_for_the_one_that_took_over(own_cluster: Cluster):
    name = first_on(0)
    with in_both_colours(name) as grants:
        fences = [grant().fence for grant in grants]
        own_cluster.primaries[0].pause()
        begun = time.monotonic()
        with pytest.raises(LockUnavailable):
            lock(name, wait=0.5).acquire()
        assert time.monotonic() - begun < 5
        fences += [after_promotion(grant).fence for grant in grants]
        assert fences == sorted(set(fences))
        own_cluster.primaries[0].resume()


def test_a_task_cancelled_while_it_asks_for_the_map_leaves_no_connection(use: Use):
    server = PortValkey()
    use(f"redis+cluster://{server.address}")
    question = Survey(Node("127.0.0.1", server.port))

    async def ask() -> None:
        line = AsyncClusterLine(await async_store("locks"))
        with suppress(LockUnavailable):  # it is none
            await line._perform(question)
        server.pause()
        asking = asyncio.create_task(line._perform(question))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    try:
        asyncio.run(ask())
        gc.collect()
    finally:
        server.resume()
        server.stop()


def test_a_cluster_that_is_gone_is_unavailable(use: Use):
    use("redis+cluster://127.0.0.1:1,127.0.0.1:2")
    with in_both_colours("n") as grants:
        for grant in grants:
            with pytest.raises(LockUnavailable):
                grant()


@pytest.mark.race
def test_a_deadlock_over_two_nodes_has_one_victim(cluster: Cluster):
    async def both(first: str, second: str) -> str:
        async with lock(first):
            await asyncio.sleep(0.1)
            try:
                async with lock(second):
                    return "got"
            except LockDeadlock:
                return "victim"

    async def main() -> list[str]:
        here, there = first_on(0), first_on(1)
        return await asyncio.gather(both(here, there), both(there, here))

    assert sorted(asyncio.run(main())) == ["got", "victim"]
    assert not any(node.ask("KEYS", "lock:wf:*") for node in cluster.primaries)
