"""News reaches everybody who waits for it, whichever thread it is that reads."""

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import redis
from django.test import override_settings

from locking import LockBusy, control, listening, lock, names
from locking.hearing import Ear
from locking.holders import process
from tests.locking.workers import Worker
from tests.product import until

OWN = "locking-listener"
# Without news, a waiter asks by itself only after 2.5 s.
PROMPTLY = 1.0


class Waiter:
    """A thread that waits for the lock of its own name, and leaves it at once."""

    def __init__(self, name: str, store: redis.Redis, wait: float) -> None:
        self.served = 0.0
        self.thread = threading.Thread(target=self._run, args=(name, wait), name=name)
        self.thread.start()
        queue = names.keys("lock", name)[1]
        until(lambda: store.zcard(queue) == 1)

    def _run(self, name: str, wait: float) -> None:
        with suppress(LockBusy), lock(name, wait=wait):
            self.served = time.monotonic()

    def end(self) -> float:
        self.thread.join(20)
        return self.served


Wait = Callable[..., Waiter]


@pytest.fixture
def wait(store: redis.Redis) -> Iterator[Wait]:
    """Begins to wait, and sees it end."""
    waiters: list[Waiter] = []

    def begin(name: str, seconds: float = 20) -> Waiter:
        waiters.append(Waiter(name, store, seconds))
        return waiters[-1]

    yield begin
    for waiter in waiters:
        waiter.end()
        assert not waiter.thread.is_alive()


def reads(name: str) -> bool:
    """Whether the thread of this name, and no other, reads the news."""
    threads = {thread.ident: thread.name for thread in threading.enumerate()}
    return [threads[i] for i, frame in sys._current_frames().items() if _hears(frame)] == [name]


def _hears(frame: object) -> bool:
    while frame:
        if frame.f_code is Ear.hear.__code__:
            return True
        frame = frame.f_back
    return False


def test_a_thread_that_waits_reads_by_itself_until_it_is_served(wait):
    lease = lock("n").acquire()
    waiter = wait("n")
    until(lambda: reads("n"))
    lease.release()
    released = time.monotonic()
    assert waiter.end() - released < PROMPTLY
    until(lambda: reads(OWN))


def test_it_reads_for_the_other_threads_and_tasks_too(wait, store):
    async def task() -> float:
        async with lock("t", wait=20):
            return time.monotonic()

    async def waits() -> float:
        lease = await lock("t").aacquire()
        waiting = asyncio.create_task(task())
        while not await asyncio.to_thread(store.zcard, names.keys("lock", "t")[1]):
            await asyncio.sleep(0.01)
        await lease.arelease()
        released = time.monotonic()
        return await waiting - released

    with lock("reader"):
        wait("reader")
        until(lambda: reads("reader"))
        with lock("n"):
            waiter = wait("n")
        released = time.monotonic()
        assert waiter.end() - released < PROMPTLY
        assert asyncio.run(waits()) < PROMPTLY
        assert reads("reader")


def test_the_next_thread_reads_when_one_is_served(wait):
    with lock("second"):
        lease = lock("first").acquire()
        wait("first")
        until(lambda: reads("first"))
        wait("second")
        lease.release()
        until(lambda: reads("second"))


def test_the_next_thread_reads_when_one_gives_up(wait):
    with lock("second"), lock("first"):
        wait("first", 0.5)
        until(lambda: reads("first"))
        wait("second")
        until(lambda: reads("second"))


def test_a_task_that_begins_to_wait_just_after_a_thread_has_read_is_not_kept_waiting(wait, store):
    async def task() -> float:
        async with lock("t", wait=20):
            return time.monotonic()

    lease = lock("n").acquire()
    with asyncio.Runner() as runner:
        runner.run(task())
        other = lock("t").acquire()
        waiter = wait("n")
        until(lambda: reads("n"))
        waiting = runner.get_loop().create_task(task())
        lease.release()
        waiter.end()
        while not store.zcard(names.keys("lock", "t")[1]):
            runner.run(asyncio.sleep(0))
        other.release()
        released = time.monotonic()
        assert runner.run(asyncio.wait_for(waiting, 20)) - released < PROMPTLY


def test_a_lost_connection_is_made_again_while_threads_wait(wait, store):
    with lock("reader"), lock("n"):
        wait("reader")
        until(lambda: reads("reader"))
        waiter = wait("n")
        store.client_kill_filter(_type="pubsub")
        until(lambda: bool(store.pubsub_channels(f"lock:c:{process()}")))
        until(lambda: reads("reader") or reads("n"))
    released = time.monotonic()
    assert waiter.end() - released < PROMPTLY


def test_a_holder_hears_that_its_lease_is_revoked_from_a_thread_that_waits(wait, transactional_db):
    lease = lock("held").acquire()
    with lock("n"):
        wait("n")
        until(lambda: reads("n"))
        control.force_release("held", fence=lease.fence, actor="ada", reason="stuck")
        forced = time.monotonic()
        until(lambda: lease.lost)
        assert time.monotonic() - forced < 5  # a renewal would tell it later
        assert reads("n")


def test_a_lock_handed_to_nobody_is_passed_on_while_a_thread_reads(wait, store):
    _, queue, records, *_ = names.keys("lock", "nobody")
    with lock("n"):
        wait("n")
        until(lambda: reads("n"))
        with lock("nobody"):
            store.zadd(queue, {"f" * 32: 1})
            store.hset(records, "f" * 32, f"{2**52} 0 lock:c:{process()} h:1:1:u ")
        released = time.monotonic()
        lock("nobody", wait=2).acquire().release()
        assert time.monotonic() - released < PROMPTLY


def test_news_that_nobody_understands_are_no_concern_of_who_reads_them(wait, store, caplog):
    with lock("n"):
        waiter = wait("n")
        until(lambda: reads("n"))
        with caplog.at_level(logging.ERROR):
            store.publish(f"lock:c:{process()}", "nonsense")
            until(lambda: "goes on after an error" in caplog.text)
        until(lambda: reads("n"))
    released = time.monotonic()
    assert waiter.end() - released < PROMPTLY


def test_news_that_cannot_be_dealt_with_are_no_concern_of_who_reads_on(
    wait, store, caplog, monkeypatch
):
    def told(text: str) -> None:
        raise ValueError(text)

    with lock("n"):
        waiter = wait("n")
        until(lambda: reads("n"))
        monkeypatch.setattr(listening.listener("locks"), "_told", told)
        with caplog.at_level(logging.ERROR):
            store.publish(f"lock:c:{process()}", "x token 0 key")
            until(lambda: "goes on after an error" in caplog.text)
        until(lambda: reads("n"))
    released = time.monotonic()
    assert waiter.end() - released < PROMPTLY


def test_a_listener_that_is_closed_leaves_nobody_behind(wait):
    with lock("n"):
        waiter = wait("n")
        until(lambda: reads("n"))
        before = listening.listener("locks")
        with override_settings(LOCKING={"CACHE": "locks"}):
            until(lambda: not before._thread.is_alive())
    released = time.monotonic()
    assert waiter.end() - released < PROMPTLY


def test_a_listener_that_could_not_begin_begins_the_next_time(wait, monkeypatch):
    start = threading.Thread.start

    def fail_once(thread: threading.Thread) -> None:
        if thread.name == OWN:
            monkeypatch.setattr(threading.Thread, "start", start)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", fail_once)
    with override_settings(LOCKING={"CACHE": "locks"}):
        with pytest.raises(RuntimeError, match="can't start"):
            lock("n").acquire()
        with lock("n"):
            until(lambda: listening.listener("locks").up)


CROWD = """
from locking import listening
served = []
def work(name):
    with lock(name, wait=20):
        served.append(name)
def start(name):
    thread = threading.Thread(target=work, args=(name,))
    thread.start()
    return thread
lease = lock("n").acquire()
while not listening.listener("locks").up:
    time.sleep(0.01)
"""


def test_a_fork_takes_no_news_from_a_thread_that_reads():
    with Worker(
        CROWD
        + """
thread = start("n")
time.sleep(0.3)
pid = os.fork()
if not pid:
    tell(lock("m", wait=0).acquire().valid)
    try:
        lock("n", wait=0.3).acquire()
    except LockBusy:
        tell(listening.listener("locks").up)
    os._exit(0)
os.waitpid(pid, 0)
lease.release()
released = now()
thread.join()
tell(served, now() - released)
"""
    ) as worker:
        assert [worker.hear() for _ in range(2)] == [[True], [True]]
        served, seconds = worker.hear()
    assert served == ["n"]
    assert seconds < PROMPTLY


def test_a_thread_that_is_interrupted_while_it_reads_leaves_the_news_to_others():
    with Worker(
        CROWD
        + """
def hold():
    with lock("other"):
        time.sleep(20)
threading.Thread(target=hold, daemon=True).start()
time.sleep(0.1)
threads = []
threading.Timer(0.2, lambda: threads.append(start("n"))).start()
threading.Timer(0.4, lambda: os.kill(os.getpid(), 2)).start()
try:
    lock("other", wait=20).acquire()
except KeyboardInterrupt:
    tell("interrupted")
time.sleep(0.3)
lease.release()
released = now()
threads[0].join()
tell(served, now() - released)
"""
    ) as worker:
        assert worker.hear() == ["interrupted"]
        served, seconds = worker.hear()
    assert served == ["n"]
    assert seconds < PROMPTLY


@pytest.mark.parametrize("raised", ["LookupError", "TimeoutError"])
def test_what_a_signal_handler_raises_while_a_thread_reads_is_raised_there(raised):
    with Worker(
        CROWD
        + f"""
import signal
def ring(*_):
    raise {raised}("over")
signal.signal(signal.SIGALRM, ring)
def hold():
    with lock("other"):
        time.sleep(20)
def wait():
    began = now()
    try:
        lock("other", wait=3).acquire()
    except ({raised}, LockBusy) as error:
        return str(error), now() - began
threading.Thread(target=hold, daemon=True).start()
time.sleep(0.1)
threads = []
threading.Timer(0.2, lambda: threads.append(start("n"))).start()
signal.setitimer(signal.ITIMER_REAL, 0.5)
tell(*wait())
lease.release()
released = now()
threads[0].join()
tell(served, now() - released)
"""
    ) as worker:
        said, seconds = worker.hear()
        assert said == "over"
        assert seconds < PROMPTLY
        served, seconds = worker.hear()
    assert served == ["n"]
    assert seconds < PROMPTLY
