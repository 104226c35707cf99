"""Cancelled at every single await, interrupted at every single step: nothing stays behind."""

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import FrameType, coroutine
from typing import Any

import pytest
import redis
from django.core.signals import setting_changed
from django_redis import get_redis_connection

from locking import (
    Lease,
    LockBusy,
    deadlock,
    drivers,
    lock,
    lock_all,
    pools,
    rw_lock,
    semaphore,
)

KEYS = ["lock:{n}:l", "lock:{n}:q", "lock:{n}:w"]


@pytest.fixture(autouse=True)
def early_vigil(monkeypatch):
    """Who waits with a lock in hand looks for deadlocks sooner than it would."""
    monkeypatch.setattr(deadlock, "PATIENCE", 0.005)
    monkeypatch.setattr(deadlock, "PAUSE", (0.005, 0.005))


class Cancelling:
    """Runs a coroutine and cancels its task at chosen suspensions.

    ``late`` cancels when what is awaited has come already, but has not been noticed.
    """

    def __init__(self, *at: int, late: bool) -> None:
        self.at, self.late = at, late
        self.suspensions = 0

    @coroutine
    def run(self, work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task
        resume: Callable[[], Any] = lambda: work.send(None)  # noqa: E731
        while True:
            try:
                awaited = resume()
            except StopIteration as end:
                return end.value
            if self.suspensions in self.at:
                self.cancel(task, awaited)
            self.suspensions += 1
            try:
                yield awaited
            except BaseException as error:
                resume = lambda error=error: work.throw(error)  # noqa: E731
            else:
                resume = lambda: work.send(None)  # noqa: E731

    def cancel(self, task: asyncio.Task[Any], awaited: Any) -> None:
        if not self.late:
            task.cancel()
        elif awaited is None:
            asyncio.get_running_loop().call_soon(task.cancel)
        else:
            awaited.add_done_callback(lambda _: task.cancel())

    @property
    def reached(self) -> bool:
        return self.suspensions > self.at[0]


async def scene(cancelling: Cancelling, prepare: "Prepare") -> None:
    """One operation, cancelled; then all there must be is a lock that can be had at once."""
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    before = asyncio.all_tasks()
    work, after = await prepare()
    task = asyncio.create_task(cancelling.run(work))
    try:
        await task
    except asyncio.CancelledError:
        assert cancelling.reached
    except LockBusy:
        pass
    else:
        assert not cancelling.reached, "a cancellation was swallowed"
    await after()
    while pending := asyncio.all_tasks() - before:
        assert len(cancelling.at) > 1, pending  # a second cancellation leaves the farewell alone
        await asyncio.wait(pending)
    assert not complaints


Prepare = Callable[[], Awaitable[tuple[Coroutine[Any, Any, Any], Callable[[], Awaitable[None]]]]]


async def nothing() -> None:
    pass


async def free() -> None:
    lease = await lock("n", wait=0).aacquire()
    await lease.arelease()


async def acquire_and_release() -> None:
    lease = await lock("n").aacquire()
    await lease.arelease()


async def cold():
    return acquire_and_release(), nothing


async def warm():
    await free()
    return acquire_and_release(), nothing


async def block():
    async def work() -> None:
        async with lock("n") as lease:
            await lease.aextend(60)

    return work(), nothing


async def tried():
    async def work() -> None:
        lease = await lock("n").atry_acquire()
        await lease.arelease()

    return work(), nothing


async def handed_over():
    """Somebody releases as soon as the other waits."""
    holder = await lock("n").aacquire()

    async def release() -> None:
        while not await asyncio.to_thread(waiters) and not done.is_set():
            pass
        await holder.arelease()

    async def work() -> None:
        try:
            await acquire_and_release()
        finally:
            done.set()

    async def after() -> None:
        await releasing

    done = asyncio.Event()
    releasing = asyncio.create_task(release())
    return work(), after


async def in_vain():
    """The wait is over before the lock is free."""
    holder = await lock("n").aacquire()
    return lock("n", wait=0.5).aacquire(), holder.arelease


async def released_to_another():
    holder = await lock("n").aacquire()
    other = asyncio.create_task(acquire_and_release())
    while not waiters():
        await asyncio.sleep(0)

    async def after() -> None:
        await other

    return holder.arelease(), after


def waiters() -> int:
    return int(store().zcard("lock:{n}:q"))


def left_behind() -> list[bytes]:
    """All keys but the memory of a name and the index, which drops what is over when it is read."""
    return [key for key in store().scan_iter("lock:*") if not key.endswith((b":s", b":idx"))]


def store() -> redis.Redis:
    return get_redis_connection("locks")


async def after_the_server_forgot():
    store().script_flush()
    return acquire_and_release(), nothing


async def after_connections_broke():
    await free()
    kill_connections()
    return acquire_and_release(), nothing


async def handed_over_to_the_first_that_listens():
    setting_changed.send(sender=None, setting="LOCKING", value={}, enter=True)
    return await handed_over()


async def all_of_several():
    async def work() -> None:
        async with lock_all("m", "n", "o"):
            pass

    return work(), nothing


async def waiting_with_another_in_hand():
    """Which makes the waiter look for deadlocks, and tell what it waits for."""
    holder = await lock("n").aacquire()

    async def work() -> None:
        async with lock("m"):
            await lock("n", wait=0.03).aacquire()

    return work(), holder.arelease


async def a_share_handed_over():
    holder = await rw_lock("n").write.aacquire()

    async def release() -> None:
        while not store().zcard("lock:{n}:rw:q") and not done.is_set():
            await asyncio.sleep(0)
        await holder.arelease()

    async def work() -> None:
        try:
            async with rw_lock("n").read, semaphore("n", 2):
                pass
        finally:
            done.set()

    async def after() -> None:
        await releasing

    done = asyncio.Event()
    releasing = asyncio.create_task(release())
    return work(), after


def kill_connections() -> None:
    client = store()
    for row in client.client_list():
        if row["cmd"] != "client|list":
            client.client_kill_filter(_id=row["id"])


SCENES = [
    after_connections_broke,
    after_the_server_forgot,
    handed_over_to_the_first_that_listens,
    cold,
    warm,
    block,
    tried,
    handed_over,
    in_vain,
    released_to_another,
    all_of_several,
    waiting_with_another_in_hand,
    a_share_handed_over,
]
scenes = pytest.mark.parametrize("prepare", SCENES, ids=lambda prepare: prepare.__name__)
moments = pytest.mark.parametrize("late", [False, True], ids=["at once", "when it came"])


@scenes
@moments
def test_a_task_cancelled_at_any_await_leaves_nothing_behind(prepare, late):
    at, suspended = 0, True
    while suspended:
        cancelling = Cancelling(at, late=late)
        asyncio.run(scene(cancelling, prepare))
        assert not left_behind(), f"cancelled at {at}"
        asyncio.run(free())
        suspended, at = cancelling.reached, at + 1
    assert at > 2


@scenes
@pytest.mark.parametrize("apart", [1, 2])
def test_a_task_cancelled_twice_leaves_nothing_behind(prepare, apart):
    at, suspended = 0, True
    while suspended:
        cancelling = Cancelling(at, at + apart, late=False)
        asyncio.run(scene(cancelling, prepare))
        assert not left_behind(), f"cancelled at {at} and {at + apart}"
        asyncio.run(free())
        suspended, at = cancelling.reached, at + 1


@moments
def test_cancellations_cost_the_loop_no_connection(late):
    async def main() -> None:
        for prepare in SCENES:
            for at in range(8):
                await scene(Cancelling(at, late=late), prepare)
        leases = [lock(f"m{number}", wait=0).aacquire() for number in range(200)]
        for lease in await asyncio.gather(*leases):
            await lease.arelease()
        callers = [row for row in store().client_list() if row["cmd"].startswith("eval")]
        # Besides those of the loop one of the thread that listens, one of that which renews.
        assert len(callers) <= pools.ASYNC_CONNECTIONS + 2

    asyncio.run(main())


class Interrupting:
    """KeyboardInterrupt around the n-th step of what a thread does with the store."""

    def __init__(self, at: int, *, late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at, self.late, self.steps = at, late, 0
        self.perform = drivers._perform
        monkeypatch.setattr(drivers, "_perform", self)

    def __call__(self, *args: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            return self.perform(*args)
        now = self.steps == self.at
        self.steps += 1
        if now and not self.late:
            raise KeyboardInterrupt
        try:
            return self.perform(*args)
        finally:
            if now:
                raise KeyboardInterrupt


def plain() -> None:
    lock("n").acquire().release()


def with_block() -> None:
    with lock("n") as lease:
        lease.extend(60)


def waiting_in_vain() -> None:
    leases: list[Lease] = []
    # Who waits for itself is told so.
    other = threading.Thread(target=lambda: leases.append(lock("n").acquire()))
    other.start()
    other.join()
    with leases[0], pytest.raises(LockBusy):
        lock("n", wait=0.02).acquire()


def waiting_for_a_hand_over() -> None:
    other, over = lock("n").acquire(), threading.Event()

    def release() -> None:
        while not waiters() and not over.is_set():
            pass
        other.release()

    releasing = threading.Thread(target=release)
    releasing.start()
    try:
        lock("n").acquire().release()
    finally:
        over.set()
        releasing.join()


def extending() -> None:
    lease = lock("n").acquire()
    try:
        lease.extend(60)
    finally:
        lease.release()


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "work", [plain, with_block, waiting_in_vain, waiting_for_a_hand_over, extending]
)
def test_an_interrupt_at_any_step_leaves_nothing_behind(work, late, monkeypatch):
    at, reached = 0, True
    while reached:
        with monkeypatch.context() as patch:
            interrupting = Interrupting(at, late=late, monkeypatch=patch)
            reached = interrupts(work)
        assert reached == (interrupting.steps > at), "an interrupt was swallowed"
        assert not left_behind(), f"interrupted at {at}"
        plain()
        at += 1
    assert at > 2


def interrupts(work: Callable[[], None]) -> bool:
    try:
        work()
    except KeyboardInterrupt:
        return True
    return False


class AnyCall:
    """KeyboardInterrupt at the beginning of the n-th function that runs of the locks' code.

    That is where the interpreter looks for signals; between lines of a function it does not.
    """

    def __init__(self, at: int) -> None:
        self.at, self.calls = at, 0

    def trace(self, frame: FrameType, event: str, argument: Any) -> None:
        path, name = frame.f_code.co_filename, frame.f_code.co_name
        # A generator that is thrown away also begins; what rises then, the interpreter ignores.
        if name != "<genexpr>" and "/locking/" in path and "/tests/" not in path:
            self.calls += 1
            if self.calls == self.at + 1:
                raise KeyboardInterrupt


@pytest.mark.parametrize("work", [plain, with_block, waiting_in_vain])
def test_an_interrupt_at_any_call_leaves_at_most_a_lease_that_ends(work):
    at, reached = 0, True
    while reached:
        any_call = AnyCall(at)
        sys.settrace(any_call.trace)
        try:
            reached = interrupts(work)
        finally:
            sys.settrace(None)
        store().pexpire(KEYS[0], 1)  # as if its time had passed
        lock("n", wait=1).acquire().release()
        assert not left_behind(), f"interrupted at call {at}"
        at += 1


def test_ctrl_c_ends_a_wait_and_leaves_the_line():
    def press() -> None:
        while not waiters():
            pass
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    with lock("n"):
        pressing = threading.Thread(target=press)
        pressing.start()
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            lock("n", wait=30).acquire()
        pressing.join()
        assert time.monotonic() - begun < 20
        assert not waiters()
