"""Read/write locks and semaphores as their users see them."""

import asyncio
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from django.contrib.auth.models import User
from django.db import transaction

from locking import (
    Lock,
    LockBusy,
    LockDeadlock,
    LockExpired,
    LockInAtomic,
    LockInvalid,
    LockLost,
    LockQueueFull,
    LockRevoked,
    LockUnavailable,
    lock,
    names,
    rw_lock,
    scripts,
    semaphore,
)
from locking.names import Kind
from tests.locking.proxy import Fault, Proxy
from tests.product import until
from tests.rounds import can
from tests.servers import Valkey

RW = names.share_keys("lock", Kind.RW, "n")
SEMAPHORE = names.share_keys("lock", Kind.SEMAPHORE, "n")
Elsewhere = Callable[..., object]


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    """Calls a function in another thread, and returns what comes of it."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda function, *args: pool.submit(function, *args).result(20)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as executor:
        yield executor


def in_line(store: redis.Redis, keys: tuple[str, ...], number: int) -> None:
    until(lambda: store.zcard(keys[1]) == number)


def in_turn(store: redis.Redis, pool: ThreadPoolExecutor, wanted: list[Lock], work: Callable):
    """Each of the locks waited for, in that order, each by a thread of its own."""
    begun = store.zcard(wanted[0].keys[1])

    def enter(one: Lock):
        with one as lease:
            return work(lease)

    futures = []
    for number, one in enumerate(wanted, begun + 1):
        futures.append(pool.submit(enter, one))
        in_line(store, one.keys, number)
    return futures


def test_readers_read_together(pool):
    meeting = threading.Barrier(5)

    def read():
        with rw_lock("n").read:
            meeting.wait(10)

    for future in [pool.submit(read) for _ in range(5)]:
        future.result()


def test_a_writer_is_alone(elsewhere):
    with rw_lock("n").write:
        assert elsewhere(rw_lock("n").read.try_acquire) is None
        assert elsewhere(rw_lock("n").write.try_acquire) is None
    with rw_lock("n").read:
        assert elsewhere(rw_lock("n").write.try_acquire) is None
        assert elsewhere(rw_lock("n").read.try_acquire)


def test_tasks_share_and_exclude_as_threads_do(elsewhere):
    async def main():
        wanted = rw_lock("n")
        meeting = asyncio.Barrier(5)

        async def read():
            async with wanted.read:
                await meeting.wait()

        await asyncio.gather(*(read() for _ in range(5)))
        async with wanted.write:
            assert elsewhere(wanted.read.try_acquire) is None
            assert await asyncio.create_task(wanted.read.atry_acquire()) is None
        assert await semaphore("n", 1).atry_acquire()

    asyncio.run(main())


def test_the_three_kinds_are_three_things():
    with lock("n"), rw_lock("n").write, semaphore("n", 1):
        assert semaphore("n", 1).try_acquire() is None


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_full_semaphore_is_said_to_be_full(colour):
    held = [semaphore("n", 2).acquire() for _ in range(2)]
    wanted = semaphore("n", 2, wait=0)
    with pytest.raises(LockBusy) as caught:
        wanted.acquire() if colour == "sync" else asyncio.run(wanted.aacquire())
    assert str(caught.value) == "All permits of “n” are taken."
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert caught.value.retry_after > 20
    for lease in held:
        lease.release()


def test_a_semaphore_has_so_many_permits():
    leases = [semaphore("n", 3).acquire() for _ in range(3)]
    assert semaphore("n", 3).try_acquire() is None
    leases[1].release()
    with semaphore("n", 3) as lease:
        assert lease.fence > leases[2].fence > leases[0].fence
    with pytest.raises(LockBusy) as caught:
        [semaphore("n", 3, wait=0).acquire() for _ in range(2)]
    assert caught.value.holder.fence == leases[0].fence
    assert 0 < caught.value.retry_after <= 30


@pytest.mark.race
def test_a_permit_whose_lease_ran_out_comes_back_and_is_not_released_twice():
    begun = time.monotonic()
    dead = semaphore("n", 1, lease=0.1, renew=False).acquire()
    with semaphore("n", 1, wait=20):
        assert 0.1 <= time.monotonic() - begun < 10
        assert dead.lost
        with pytest.raises(LockExpired):
            dead.release()
        assert semaphore("n", 1).try_acquire() is None


@pytest.mark.race
def test_a_share_is_kept_alive_while_its_holder_is():
    with semaphore("n", 1, lease=1) as lease:
        time.sleep(1.3)
        assert lease.valid
        assert semaphore("n", 1).try_acquire() is None


def test_fewer_permits_keep_a_caller_out_longer():
    wide = [semaphore("n", 3).acquire() for _ in range(2)]
    assert semaphore("n", 2).try_acquire() is None
    wide[0].release()
    assert semaphore("n", 2).try_acquire()


def test_readers_do_not_starve_a_writer(pool, store):
    done = threading.Event()

    def read():
        while not done.is_set():
            with rw_lock("n", wait=20).read:
                done.wait(0.01)

    readers = [pool.submit(read) for _ in range(4)]
    until(lambda: store.zcard(RW[0]) > 1)
    for _ in range(5):
        with rw_lock("n", wait=5).write:
            assert store.zcard(RW[0]) == 1
    done.set()
    [reader.result() for reader in readers]


def test_writers_do_not_starve_a_reader(pool, store):
    done = threading.Event()

    def write():
        while not done.is_set():
            with rw_lock("n", wait=20).write:
                done.wait(0.005)

    writers = [pool.submit(write) for _ in range(4)]
    until(lambda: store.zcard(RW[1]) > 1)
    for _ in range(5):
        with rw_lock("n", wait=5).read:
            pass
    done.set()
    [writer.result() for writer in writers]


def test_all_who_come_in_a_row_to_read_are_let_in_at_once(pool, store):
    meeting = threading.Barrier(20)
    lease = rw_lock("n").write.acquire()
    readers = in_turn(store, pool, [rw_lock("n").read] * 20, lambda _: meeting.wait(10))
    lease.release()
    [reader.result() for reader in readers]


def test_those_in_line_are_served_in_the_order_they_came(pool, store):
    served: list[str] = []

    def work(lease):
        served.append(lease.lock.meta)
        return lease.fence

    named = [rw_lock("n", wait=20, meta={"n": n}) for n in range(6)]
    line = [one.read if n in (1, 4) else one.write for n, one in enumerate(named)]
    lease = rw_lock("n").write.acquire()
    futures = in_turn(store, pool, line, work)
    lease.release()
    fences = [future.result() for future in futures]
    assert served == [f'{{"n":{n}}}' for n in range(6)]
    assert fences == sorted(set(fences))


def test_who_waits_for_a_permit_waits_in_line(pool, store):
    leases = [semaphore("n", 2).acquire() for _ in range(2)]
    served: list[int] = []
    futures = in_turn(
        store, pool, [semaphore("n", 2)] * 8, lambda lease: served.append(lease.fence)
    )
    leases[0].release()
    [future.result() for future in futures]
    assert len(served) == 8
    assert not store.exists(*SEMAPHORE[1:3])


def test_who_reads_and_asks_to_write_would_wait_for_itself(elsewhere):
    wanted = rw_lock("n", wait=20)
    with wanted.read:
        begun = time.monotonic()
        with pytest.raises(LockDeadlock) as caught:
            wanted.write.acquire()
        with pytest.raises(LockDeadlock):
            wanted.write.try_acquire()
        assert time.monotonic() - begun < 10
        assert caught.value.name == "n"
        assert elsewhere(wanted.write.try_acquire) is None
    with wanted.write:
        pass


def test_who_writes_and_asks_for_more_would_wait_for_itself():
    wanted = rw_lock("n", wait=20)
    with wanted.write:
        for side in (wanted.read, wanted.write):
            with pytest.raises(LockDeadlock):
                side.acquire()
    with wanted.read:
        pass


def test_a_task_that_asks_to_write_what_it_reads_would_wait_for_itself():
    async def main():
        wanted = rw_lock("n")
        async with wanted.read:
            with pytest.raises(LockDeadlock):
                await wanted.write.aacquire()
            # Another task waits for this one, which is no deadlock.
            assert await asyncio.create_task(wanted.write.atry_acquire()) is None

    asyncio.run(main())


def test_who_reads_may_read_again_also_while_a_writer_waits(pool, store):
    wanted = rw_lock("n", wait=20)
    with wanted.read:
        writer = in_turn(store, pool, [wanted.write], lambda lease: lease.fence)[0]
        with wanted.read as again:
            assert pool.submit(wanted.read.try_acquire).result() is None
    assert writer.result() > again.fence


@pytest.mark.race
@pytest.mark.parametrize(
    "kind",
    [
        lambda name: (rw_lock(name, wait=20).read, rw_lock(name, wait=20).write),
        lambda name: (rw_lock(name, wait=20).write, rw_lock(name, wait=20).read),
        lambda name: (semaphore(name, 1, wait=20),) * 2,
    ],
    ids=["read then write", "write then read", "one permit"],
)
def test_of_two_who_wait_for_each_others_share_exactly_one_gives_way(pool, kind):
    meeting = threading.Barrier(2)

    def take(first: str, second: str):
        with kind(first)[0]:
            meeting.wait(10)
            with kind(second)[1]:
                return "done"

    begun = time.monotonic()
    futures = [pool.submit(take, *names) for names in ("ab", "ba")]
    errors = [future.exception() for future in futures]
    assert time.monotonic() - begun < 15  # and nobody waits its time out
    assert sorted(type(error).__name__ for error in errors) == ["LockDeadlock", "NoneType"]


@pytest.mark.race
def test_who_waits_for_any_of_several_permits_is_no_victim(pool):
    other = semaphore("b", 2).acquire()
    meeting = threading.Barrier(2)

    def take(first: Lock, second: Lock):
        with first:
            meeting.wait(10)
            with second:
                return "done"

    both = semaphore("a", 1, wait=20), semaphore("b", 2, wait=20)
    futures = [pool.submit(take, *both), pool.submit(take, *reversed(both))]
    time.sleep(1.5)
    other.release()
    assert [future.result() for future in futures] == ["done", "done"]


def test_a_lease_lost_keeps_nobody_from_asking(store):
    wanted = rw_lock("n")
    lease = wanted.read.acquire()
    force(store, RW, lease.fence)
    until(lambda: lease.lost)
    with wanted.write:
        pass
    with pytest.raises(LockRevoked):
        lease.release()


def force(store: redis.Redis, keys: tuple[str, ...], fence: int):
    source = scripts.protocol(keys).force.source
    return store.eval(source, len(keys), *keys, fence, "f" * 32)


def test_only_the_share_that_is_meant_is_taken_away(store):
    leases = [semaphore("n", 2).acquire() for _ in range(2)]
    assert force(store, SEMAPHORE, leases[0].fence) == [1, 0]
    until(lambda: leases[0].lost)
    leases[1].check()
    with pytest.raises(LockRevoked):
        leases[0].check()
    leases[1].release()


@pytest.mark.race
def test_a_writer_runs_soon_after_the_last_dead_reader_ran_out():
    def soon() -> bool:
        result = []
        begun = time.monotonic()
        for length in (0.3, 0.15):
            rw_lock("n", lease=length, renew=False).read.acquire()

        def write():
            with rw_lock("n", wait=20).write:
                result.append(time.monotonic() - begun)

        writer = threading.Thread(target=write)
        writer.start()
        writer.join()
        return 0.3 <= result[0] < 0.6

    assert can(soon)


@pytest.mark.race
def test_a_wait_ends_when_it_should_and_leaves_its_place(pool, store):
    with rw_lock("n").read:
        writer = pool.submit(rw_lock("n", wait=1.5).write.acquire)
        in_line(store, RW, 1)
        reader = pool.submit(rw_lock("n", wait=20).read.acquire)
        in_line(store, RW, 2)
        with pytest.raises(LockBusy):
            writer.result()
        assert reader.result().valid


def test_only_so_many_may_wait(settings, pool, store):
    settings.LOCKING = {"CACHE": "locks", "QUEUE_LIMIT": 1}
    lease = semaphore("n", 1).acquire()
    futures = in_turn(store, pool, [semaphore("n", 1)], lambda _: None)
    with pytest.raises(LockQueueFull):
        semaphore("n", 1).acquire()
    lease.release()
    futures[0].result()


def test_a_row_names_a_lock_of_each_kind(user: User):
    with rw_lock(user).write, semaphore(user, 1):
        assert lock(user).name == rw_lock(user).name == f"auth.user:{user.pk}"


def test_a_share_is_refused_inside_a_transaction(db):
    with transaction.atomic():
        with pytest.raises(LockInAtomic):
            semaphore("n", 1).acquire()
        with rw_lock("n", in_atomic=True).read:
            pass


@pytest.mark.parametrize("permits", [0, -1, True, 1.0, "3", None, 2**31])
def test_there_is_a_whole_number_of_permits(permits):
    with pytest.raises(LockInvalid, match="permits must be an integer from 1"):
        semaphore("n", permits)


@pytest.mark.parametrize("option", ["reentrant", "hold_at_least", "timeout"])
def test_options_that_make_no_sense_are_refused(option):
    for kind in (lambda **options: semaphore("n", 1, **options), lambda **o: rw_lock("n", **o)):
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{option}'"):
            kind(**{option: 1})


@pytest.fixture
def behind(own_valkey: Valkey) -> Iterator[redis.Redis]:
    """A client past the bad line."""
    with redis.Redis(unix_socket_path=str(own_valkey.socket), db=1) as client:
        yield client


BREAK, HANG, PASS = Fault.BREAK, Fault.HANG, Fault.PASS


def test_lost_replies_cost_no_permit(proxy: Proxy, behind):
    wanted = semaphore("n", 2)
    proxy.plan(PASS, BREAK)
    lease = wanted.acquire()
    assert behind.zcard(SEMAPHORE[0]) == 1
    proxy.plan(PASS, BREAK)
    lease.extend()
    proxy.plan(BREAK)
    lease.release()
    assert not lease.lost
    assert not behind.exists(SEMAPHORE[0], SEMAPHORE[4])


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_an_acquire_that_never_gets_a_reply_leaves_no_orphan(proxy: Proxy, behind, colour):
    wanted = rw_lock("n", wait=0.4).read
    proxy.plan(PASS, HANG, HANG)
    with pytest.raises(LockUnavailable):
        wanted.acquire() if colour == "sync" else asyncio.run(wanted.aacquire())
    assert not behind.exists(RW[0], RW[4])


def test_a_server_that_forgot_everything_is_noticed(store):
    lease = semaphore("n", 1).acquire()
    store.flushdb()
    with pytest.raises(LockLost):
        lease.extend()
    with pytest.raises(LockLost):
        lease.release()
    assert semaphore("n", 1).acquire().fence > lease.fence


def test_cancelled_tasks_leave_nothing_behind(store):
    async def use(n: int):
        wanted = rw_lock("n", wait=20)
        side = wanted.write if n % 3 == 0 else wanted.read
        async with side:
            await asyncio.sleep(0.002)

    async def main():
        tasks = [asyncio.create_task(use(n)) for n in range(60)]
        for place, task in enumerate(tasks):
            await asyncio.sleep(0.001 * (place % 5))
            if place % 2:
                task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        others = [r for r in results if r is not None and type(r) is not asyncio.CancelledError]
        assert others == []
        async with rw_lock("n").write:
            pass

    asyncio.run(main())
    until(lambda: not store.exists(RW[0], RW[1], RW[2], RW[4]))
    assert store.zcard("lock:idx") == 0
