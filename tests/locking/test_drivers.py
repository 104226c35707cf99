"""Bad lines, dead servers and cancelled tasks, against a real server."""

import asyncio
import threading
import time

import pytest
from django_redis import get_redis_connection

from locking import LockBusy, LockLost, LockUnavailable, connections, lock
from tests.locking.conftest import Use
from tests.locking.proxy import Fault, Proxy
from tests.product import until
from tests.rounds import can, can_within
from tests.servers import Valkey

HOLDER = "lock:{driven}:l"
BREAK, HANG, LATE, STALL, PASS = Fault.BREAK, Fault.HANG, Fault.LATE, Fault.STALL, Fault.PASS


@pytest.fixture
def proxy(proxy: Proxy) -> Proxy:
    proxy.about = b"{driven}"
    return proxy


@pytest.fixture
def behind(own_valkey: Valkey):
    """A client past the bad line."""
    import redis

    with redis.Redis(unix_socket_path=str(own_valkey.socket), db=1) as client:
        yield client


def acquire(colour: str, **options):
    wanted = lock("driven", **options)
    if colour == "sync":
        return wanted.acquire()
    return asyncio.run(wanted.aacquire())


both = pytest.mark.parametrize("colour", ["sync", "async"])


@both
def test_an_acquire_whose_reply_is_lost_is_repeated_and_granted(proxy: Proxy, behind, colour):
    proxy.plan(PASS, BREAK)  # the first is unknown to the new server and sent again whole
    lease = acquire(colour)
    assert int(behind.hget(HOLDER, "f")) == lease.fence
    assert [call.count(lease.token.encode()) for call in proxy.calls] == [1, 1, 1]


@both
def test_an_acquire_that_never_gets_a_reply_leaves_no_orphan(proxy: Proxy, behind, colour):
    def leaves_none() -> bool:
        behind.flushall()
        behind.script_flush()
        proxy.plan(PASS, BREAK, BREAK)
        with pytest.raises(LockUnavailable):
            acquire(colour)
        assert b"EVAL" in proxy.calls[-1]
        return not behind.exists(HOLDER)

    # The last word has a tenth of a second for a connection of its own.
    assert can(leaves_none)


@both
def test_a_silent_line_is_given_up_in_time_and_leaves_no_orphan(proxy: Proxy, behind, colour):
    def in_time() -> bool:
        behind.flushall()
        behind.script_flush()
        proxy.faults.clear()
        proxy.plan(PASS, HANG, HANG)
        begun = time.monotonic()
        with pytest.raises(LockUnavailable):
            acquire(colour, wait=0.4)
        return time.monotonic() - begun < 0.9 and not behind.exists(HOLDER)

    assert can(in_time)


@both
def test_a_reply_that_comes_late_is_never_taken_for_another(proxy: Proxy, colour):
    async def scenario():
        await free("driven")
        proxy.plan(LATE)
        with pytest.raises(LockUnavailable):
            await lock("driven", wait=0.3).aacquire()
        await free("driven")

    if colour == "async":
        return asyncio.run(scenario())
    lock("driven").acquire().release()
    proxy.plan(LATE)
    with pytest.raises(LockUnavailable):
        lock("driven", wait=0.3).acquire()
    return lock("driven", wait=1).acquire().release()


@both
def test_an_acquire_that_arrives_after_it_was_given_up_leaves_no_orphan(
    proxy: Proxy, behind, colour
):
    lock("warm").acquire().release()
    proxy.plan(STALL)
    with pytest.raises(LockUnavailable):
        acquire(colour, wait=0.3)
    lock("n2").acquire().release()
    proxy.resume.set()
    until(lambda: behind.hexists("lock:{driven}:s", "x"))
    until(lambda: not behind.exists(HOLDER))


@pytest.mark.parametrize("fault", [BREAK, HANG])
def test_a_release_whose_reply_is_lost_is_a_release(proxy: Proxy, behind, fault):
    lease = lock("driven").acquire()
    proxy.plan(PASS, fault)
    if fault is HANG:
        with pytest.raises(LockUnavailable):
            lease.release()
    lease.release()
    assert not behind.exists(HOLDER)
    assert not lease.lost


def test_a_release_without_reply_is_a_release_also_when_others_came_between(proxy: Proxy):
    lease = lock("driven").acquire()
    lock("warm").acquire().release()
    proxy.plan(HANG)
    with pytest.raises(LockUnavailable):
        lease.release()
    for _ in range(10):
        lock("driven").acquire().release()
    lease.release()
    assert not lease.lost


def test_an_extension_whose_reply_is_lost_is_repeated(proxy: Proxy):
    lease = lock("driven", lease=10).acquire()
    lease.extend(20)
    proxy.plan(BREAK)
    lease.extend(60)
    assert lease.remaining > 50


def test_an_extension_overtaken_by_the_release_finds_no_lease_but_no_loss(proxy: Proxy):
    lease = lock("driven").acquire()
    lease.extend()
    proxy.plan(STALL)
    errors = []

    def extend():
        try:
            lease.extend(60)
        except LockLost as error:
            errors.append(type(error))

    before = len(proxy.calls)
    thread = threading.Thread(target=extend)
    thread.start()
    until(lambda: len(proxy.calls) > before)
    lease.release()
    proxy.resume.set()
    thread.join()
    assert errors == [LockLost]
    assert not lease.lost


def test_an_extension_that_fails_leaves_the_lease_as_it_was(proxy: Proxy):
    lease = lock("driven", lease=10).acquire()
    lease.extend(11)
    proxy.plan(HANG)
    with pytest.raises(LockUnavailable):
        lease.extend(60)
    assert 5 < lease.remaining < 11
    lease.extend(60)
    lease.release()


@both
def test_forgotten_scripts_are_sent_again(store, colour):
    for _ in range(3):
        store.script_flush()
        lease = acquire(colour)
        store.script_flush()
        lease.extend()
        store.script_flush()
        lease.release()
    assert lock("driven").try_acquire()


@both
def test_a_server_that_is_gone_is_unavailable_at_once(own_valkey, use: Use, colour):
    use(own_valkey.url)
    acquire(colour).release()
    own_valkey.stop()

    def be_refused() -> None:
        with pytest.raises(LockUnavailable, match=r"^The lock store does not answer"):
            acquire(colour)

    assert can_within(0.5, be_refused)


@both
def test_a_server_that_restarted_is_found_again(own_valkey, use: Use, colour):
    use(own_valkey.url)

    async def scenario():
        await (await lock("driven").aacquire()).arelease()
        own_valkey.restart()
        await lock("driven").aacquire()

    if colour == "async":
        asyncio.run(scenario())
    else:
        lock("driven").acquire().release()
        own_valkey.restart()
        lock("driven").acquire()


def test_a_server_that_restarted_is_found_again_although_many_connections_died(
    own_valkey, use: Use
):
    use(own_valkey.url)
    pool = connections.store("locks")
    for connection in [pool.take(1.0) for _ in range(3)]:
        pool.give(connection)
    own_valkey.restart()
    lock("driven").acquire()


@both
@pytest.mark.parametrize("warm", [True, False], ids=["pooled connection", "new connection"])
@pytest.mark.parametrize("wait", [0.3, 0.8])
def test_a_server_that_accepts_and_never_answers_is_unavailable_within_the_wait(
    own_valkey, use: Use, colour, warm, wait
):
    use(own_valkey.url)

    def give_up() -> bool:
        if warm and colour == "sync":
            lock("warm").acquire().release()
        own_valkey.pause()
        begun = time.monotonic()
        with pytest.raises(LockUnavailable):
            acquire(colour, wait=wait)
        taken = time.monotonic() - begun
        own_valkey.resume()
        return taken < wait + 0.5

    assert can(give_up)
    until(lambda: lock("driven", wait=0).try_acquire())


def test_a_connection_made_in_haste_is_not_hasty_ever_after(proxy: Proxy):
    lease = lock("driven", wait=0.3).acquire()
    proxy.plan(PASS, HANG)
    begun = time.monotonic()
    with pytest.raises(LockUnavailable):
        lease.release()
    assert time.monotonic() - begun > 0.9


@pytest.mark.race
def test_a_server_that_falls_silent_during_a_wait_is_unavailable_within_it(own_valkey, use: Use):
    use(own_valkey.url)
    lock("driven", lease=60).acquire()

    async def scenario():
        waiting = asyncio.create_task(lock("driven", wait=0.8).aacquire())
        await asyncio.sleep(0.2)
        own_valkey.pause()
        await waiting

    def fail() -> None:
        try:
            with pytest.raises(LockUnavailable):
                asyncio.run(scenario())
        finally:
            own_valkey.resume()

    assert can_within(1.5, fail)


def test_a_read_only_server_is_unavailable_and_its_connections_are_dropped(store):
    lock("driven").acquire().release()
    store.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(LockUnavailable) as caught:
            lock("driven").acquire()
        assert "READONLY" in str(caught.value.__cause__).upper() or "read only" in str(
            caught.value.__cause__
        )
    finally:
        store.replicaof("NO", "ONE")
    assert lock("driven").try_acquire()


async def cancelled_after(steps: int, work) -> bool:
    """Whether the cancellation came before the work was done."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    if task.done():
        return False
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return True


async def free(name: str) -> None:
    lease = await lock(name, wait=1).aacquire()
    await lease.arelease()


@pytest.mark.parametrize("warm", [True, False], ids=["pooled connection", "new connection"])
def test_an_acquire_cancelled_at_any_await_leaves_the_lock_free_and_the_pool_working(warm):
    async def once(steps: int) -> bool:
        if warm:
            await free("warm")
        wanted = lock("driven")
        cancelled = await cancelled_after(steps, hold(wanted))
        await free("driven")
        return cancelled

    async def hold(wanted):
        lease = await wanted.aacquire()
        await lease.arelease()

    steps = 0
    while asyncio.run(once(steps)):
        steps += 1
    assert steps > 3


def test_a_waiting_acquire_cancelled_at_any_time_leaves_the_queue(store):
    async def once(steps: int) -> None:
        await cancelled_after(steps, lock("driven", wait=0.02).aacquire())

    with lock("driven"):
        for steps in (*range(40), *range(40, 4000, 97)):
            try:
                asyncio.run(once(steps))
            except LockBusy:
                break
        assert not store.exists("lock:{driven}:q", "lock:{driven}:w")
    assert lock("driven").try_acquire()


def test_a_cancellation_during_an_acquire_reaches_the_caller_once(store):
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), lock("driven", wait=5):
                pass
        assert not store.exists("lock:{driven}:q")

    with lock("driven"):
        asyncio.run(main())


def test_a_release_cancelled_at_any_await_releases():
    async def once(steps: int) -> bool:
        lease = await lock("driven", wait=0).aacquire()
        cancelled = await cancelled_after(steps, lease.arelease())
        await free("driven")
        return cancelled

    steps = 1  # before its first step a task has not begun, and its work neither
    while asyncio.run(once(steps)):
        steps += 1
    assert steps > 2


def test_a_body_that_is_cancelled_releases():
    async def main():
        entered = asyncio.Event()

        async def body():
            async with lock("driven"):
                entered.set()
                await asyncio.sleep(60)

        task = asyncio.create_task(body())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await free("driven")

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_second_cancellation_does_not_stop_the_farewell(proxy: Proxy, behind):
    async def main():
        await free("warm")
        proxy.plan(HANG, HANG)
        task = asyncio.create_task(lock("driven").aacquire())
        while not behind.exists(HOLDER):
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while behind.exists(HOLDER):
            await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(main(), 30))


def test_an_acquire_thrown_away_with_its_loop_makes_no_noise():
    async def main():
        await free("driven")
        half_done = lock("driven").aacquire()
        half_done.send(None)
        half_done.close()

    asyncio.run(main())


def test_loops_close_their_connections(own_valkey: Valkey, use: Use):
    use(own_valkey.url)
    client = get_redis_connection("locks")

    def connected() -> set[str]:
        # Not those of circuits and probes, which other threads may make at any time.
        rows = (row for row in client.client_list() if row["db"] == "1")
        return {row["id"] for row in rows if row["sub"] == "0"}

    lock("driven").acquire().release()  # whose thread keeps its connection
    before = connected()
    loops = []  # kept, so that nothing is closed by being thrown away
    for _ in range(5):
        with asyncio.Runner() as runner:
            loops.append(runner.get_loop())
            runner.run(free("driven"))
    until(lambda: connected() <= before)
