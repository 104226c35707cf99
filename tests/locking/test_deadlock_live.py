"""Deadlocks of real processes, threads and tasks, and the lack of them."""

import asyncio
import json
import logging
import os
import threading
import time
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from locking import LockBusy, LockDeadlock, lock, remote, signals
from locking.locks import Lock
from tests.locking.workers import Worker

logger = logging.getLogger(__name__)
pytestmark = pytest.mark.race

THREADS = """
from concurrent.futures import ThreadPoolExecutor
from locking import LockDeadlock, rw_lock
def both(first, second):
    with eval(first):
        taken.wait()
        go.wait()
        begun = now()
        try:
            with eval(second):
                return "got", None, now() - begun
        except LockDeadlock as error:
            return "deadlock", error.cycle, now() - begun
pairs = json.loads(sys.stdin.readline())
taken, go = threading.Barrier(len(pairs) + 1), threading.Event()
with ThreadPoolExecutor(len(pairs)) as pool:
    ends = [pool.submit(both, *pair) for pair in pairs]
    taken.wait()
    tell("taken")
    sys.stdin.readline()
    go.set()
    tell(*(end.result() for end in ends))
"""
TASKS = """
from locking import LockDeadlock, rw_lock
async def both(first, second):
    async with eval(first):
        taken.release()
        await go.wait()
        begun = now()
        try:
            async with eval(second):
                return "got", None, now() - begun
        except LockDeadlock as error:
            return "deadlock", error.cycle, now() - begun
async def main():
    global taken, go
    pairs = json.loads(sys.stdin.readline())
    taken, go = asyncio.Semaphore(0), asyncio.Event()
    ends = [asyncio.create_task(both(*pair)) for pair in pairs]
    for _ in pairs:
        await taken.acquire()
    tell("taken")
    sys.stdin.readline()
    go.set()
    tell(*await asyncio.gather(*ends))
asyncio.run(main())
"""


def left_behind(store) -> list[bytes]:
    return [key for key in store.keys("*") if not key.endswith(b":s")]


def rings(sources: list[str], first: str, second: str, *, of: int = 20) -> list[list[Any]]:
    """Deadlocks over as many processes, so many at once: the outcomes of each.

    In each ring the n-th process has taken the n-th lock and waits for the next one.
    """
    size = len(sources)
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(source)) for source in sources]
        for place, worker in enumerate(workers):
            following = (place + 1) % size
            pairs = [(first.format(f"{n}-{place}"), second.format(f"{n}-{following}"))
                     for n in range(of)]  # fmt: skip
            worker.say(json.dumps(pairs))
        assert [worker.hear() for worker in workers] == [["taken"]] * size
        for worker in workers:
            worker.say()
        return [list(ring) for ring in zip(*(worker.hear() for worker in workers), strict=True)]


@pytest.mark.parametrize(
    "sources",
    [(THREADS, THREADS), (TASKS, THREADS, TASKS)],
    ids=["two", "three"],
)
def test_of_each_deadlock_over_processes_exactly_one_is_the_victim_in_time(store, sources):
    outcomes = rings(list(sources), 'lock("r{}", wait=20)', 'lock("r{}", wait=20)')
    for number, ring in enumerate(outcomes):
        assert sorted(what for what, *_ in ring) == ["deadlock"] + ["got"] * (len(sources) - 1)
        for what, cycle, waited in ring:
            assert 0.45 < waited < 10
            if what == "deadlock":
                names = {f"r{number}-{place}" for place in range(len(sources))}
                assert set(cycle) == names
    assert not left_behind(store)


def test_a_writer_waiting_for_several_readers_can_be_part_of_a_deadlock(store):
    outcomes = rings(
        [TASKS, THREADS], 'rw_lock("r{}", wait=20).read', 'rw_lock("r{}", wait=20).write'
    )
    assert [sorted(what for what, *_ in ring) for ring in outcomes] == [["deadlock", "got"]] * 20
    assert not left_behind(store)


@pytest.fixture
def heard():
    """The deadlocks that were told of."""
    facts = []

    def receive(sender, name, cycle, **rest):
        facts.append((sender, name, cycle))

    signals.lock_deadlock.connect(receive)
    yield facts
    signals.lock_deadlock.disconnect(receive)


def test_a_thread_that_waits_for_itself_is_told_so(store, heard):
    with lock("a"), lock("b"):
        begun = time.monotonic()
        with pytest.raises(LockDeadlock) as caught:
            lock("a", wait=None).acquire()
        assert 0.45 < time.monotonic() - begun < 15
    assert (caught.value.name, caught.value.cycle) == ("a", ("a",))
    assert heard == [(Lock, "a", ("a",))]
    assert not left_behind(store)


@pytest.mark.parametrize("wait", [0, 0.2])
def test_who_does_not_wait_long_enough_is_told_that_the_lock_is_busy(wait):
    with lock("a"), pytest.raises(LockBusy):
        lock("a", wait=wait).acquire()


def test_tasks_of_one_loop_can_deadlock_each_other(store, heard):
    async def both(first: str, second: str) -> str:
        async with lock(first):
            await asyncio.sleep(0.1)
            try:
                async with lock(second):
                    return "got"
            except LockDeadlock as error:
                assert error.cycle in (("a", "b"), ("b", "a"))
                return "deadlock"

    async def main() -> list[str]:
        return await asyncio.gather(both("a", "b"), both("b", "a"))

    assert sorted(asyncio.run(main())) == ["deadlock", "got"]
    assert len(heard) == 1
    assert not left_behind(store)


def test_a_lease_that_another_thread_adopts_is_waited_for(store):
    lease = lock("a").acquire()

    def work():
        lease.adopt()
        time.sleep(1.0)
        lease.release()

    thread = threading.Thread(target=work)
    with lock("b"):
        thread.start()
        lock("a").acquire().release()
    thread.join()
    assert not left_behind(store)


def test_leases_kept_by_callers_over_http_belong_to_no_thread():
    remote.acquire("x", lease=5, wait=0, meta=None)
    with lock("b"), pytest.raises(LockBusy):
        remote.acquire("x", lease=5, wait=1, meta=None)


def test_who_waits_with_empty_hands_neither_walks_nor_says_so(store):
    with lock("a"):
        thread = threading.Thread(target=lock("a").acquire)
        thread.start()
        time.sleep(0.8)
        assert store.zcard("lock:{a}:q") == 1
        assert not store.keys("lock:wf:*")
    thread.join()


def test_who_gave_up_waiting_says_so(store):
    def wait():
        with lock("its"), suppress(LockBusy):
            lock("a", wait=0.8).acquire()

    with lock("a"):
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.65)
        assert store.keys("lock:wf:*")
        thread.join()
        assert not store.keys("lock:wf:*")


HOLDER = """
with lock("a", lease=1):
    tell("taken")
    lock("b").acquire()
"""


def test_a_process_that_died_waits_for_nobody(store):
    with lock("b"), Worker(HOLDER) as worker:
        worker.hear()
        while not (its := store.keys("lock:wf:*")):
            time.sleep(0.01)
        worker.kill()
        lock("a").acquire().release()
        assert store.exists(*its)
        assert store.zcard("lock:{b}:q") == 1


PAIRS = """
import random
from concurrent.futures import ThreadPoolExecutor
from locking import LockDeadlock, deadlock
def pairs():
    for _ in range(count):
        yield order(random.sample("abcdefgh", 2))
def work():
    victims = 0
    for first, second in pairs():
        try:
            with lock(first, wait=None), lock(second, wait=None):
                pass
        except LockDeadlock:
            victims += 1
    return victims
async def awork():
    victims = 0
    for first, second in pairs():
        try:
            async with lock(first, wait=None), lock(second, wait=None):
                pass
        except LockDeadlock:
            victims += 1
    return victims
async def tasks():
    return sum(await asyncio.gather(*(awork() for _ in range(8))))
# Look at once and all the time, so that as many walks as can be meet locks that change hands.
deadlock.PATIENCE, deadlock.PAUSE = 0.0, (0.0, 0.02)
order, count = eval(sys.stdin.readline()), int(sys.stdin.readline())
with ThreadPoolExecutor(9) as pool:
    ends = [pool.submit(work) for _ in range(8)]
    ends.append(pool.submit(lambda: asyncio.run(tasks())))
tell(sum(end.result() for end in ends))
"""


def victims_of_random_pairs(store, order: str, pairs: int) -> int:
    """Four processes, each with eight threads and eight tasks, that take two locks of eight."""
    begun = time.monotonic()
    store.config_resetstat()
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(PAIRS)) for _ in range(4)]
        for worker in workers:
            worker.say(f"{order}\n{-(-pairs // 64)}")
        victims = sum(worker.hear()[0] for worker in workers)
    walks, took = store.info("commandstats")["cmdstat_get"]["calls"], time.monotonic() - begun
    logger.info("%s pairs, %s steps of walks, %s victims, %.1f s", pairs, walks, victims, took)
    assert not left_behind(store)
    return victims


def test_locks_taken_in_one_order_make_no_victims(store):
    pairs = int(os.environ.get("ORDERED_PAIRS", "640"))  # 10000 take a minute
    assert victims_of_random_pairs(store, "sorted", pairs) == 0


def test_locks_taken_in_any_order_make_victims_and_nobody_waits_for_ever(store):
    assert 0 < victims_of_random_pairs(store, "list", 320) < 320
