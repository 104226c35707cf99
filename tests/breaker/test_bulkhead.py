import asyncio
import gc
import pickle
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from breaker import BulkheadFull, Outcome, PolicyError, bulkhead, default_outcome, time_limit
from breaker.bulkhead import Bulkhead
from tests.breaker.test_guard import Down
from tests.locking.workers import forked


def until(condition: Callable[[], Any], *, within: float = 30) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.001)


class Held:
    """A place taken by another thread until it is let go."""

    def __init__(self, places: Bulkhead) -> None:
        self._go = threading.Event()
        self._thread = threading.Thread(target=self._hold, args=[places])
        self._thread.start()
        until(lambda: places.taken)

    def _hold(self, places: Bulkhead) -> None:
        with places:
            assert self._go.wait(60)

    def let_go(self) -> None:
        self._go.set()
        self._thread.join()


def test_the_call_over_the_limit_is_refused_and_never_happens() -> None:
    calls = []

    @bulkhead("one", limit=1)
    def call() -> None:
        calls.append(1)
        with pytest.raises(BulkheadFull, match="All 1 places of 'one' are taken"):
            call()

    call()
    call()
    assert len(calls) == 2


def test_threads_and_tasks_share_the_limit() -> None:
    async def ask() -> None:
        async with bulkhead("shared", limit=1):
            pass

    held = Held(bulkhead("shared", limit=1))
    with pytest.raises(BulkheadFull):
        asyncio.run(ask())
    held.let_go()
    asyncio.run(ask())


def test_a_failed_call_gives_its_place_back() -> None:
    async def afail() -> None:
        raise Down

    places = bulkhead("failing", limit=1)
    for _ in range(3):
        with pytest.raises(Down), places:
            raise Down
        with pytest.raises(Down):
            asyncio.run(places(afail)())
    assert places.taken == 0


def test_a_stream_keeps_its_place_until_it_ends() -> None:
    places = bulkhead("streams", limit=1)

    @places
    def numbers() -> Generator[int, int, str]:
        sent = yield 1
        yield sent
        return "the end"

    stream = numbers()
    assert places.taken == 0, "not begun yet"
    assert next(stream) == 1
    assert places.taken == 1
    assert stream.send(7) == 7
    with pytest.raises(StopIteration, match="the end"):
        next(stream)
    assert places.taken == 0


@pytest.mark.parametrize("collected", [False, True], ids=["closed", "forgotten"])
def test_a_stream_that_is_given_up_gives_its_place_back(collected: bool) -> None:
    places = bulkhead("given up", limit=1)

    @places
    async def numbers() -> AsyncGenerator[int, None]:
        yield 1
        yield 2

    async def story() -> None:
        stream = numbers()
        assert await anext(stream) == 1
        assert places.taken == 1
        if collected:
            del stream
            gc.collect()
            await asyncio.sleep(0.01)
        else:
            await stream.aclose()

    asyncio.run(story())
    assert places.taken == 0


def test_who_waits_gets_the_place_that_becomes_free() -> None:
    places = bulkhead("wait", limit=1, max_wait=30)
    held = Held(places)
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(places.call, int)
        until(lambda: places.waiting)
        assert not waiter.done()
        held.let_go()
        assert waiter.result(30) == 0
    assert (places.taken, places.waiting) == (0, 0)


def test_threads_and_tasks_are_served_in_the_order_in_which_they_came() -> None:
    places = bulkhead("order", limit=1, max_wait=30)
    served: list[str] = []

    async def task(name: str) -> None:
        async with places:
            served.append(name)

    async def story() -> None:
        held = Held(places)
        tasks, threads = [], []
        for number in range(3):
            tasks.append(asyncio.create_task(task(f"task {number}")))
            await asyncio.sleep(0)
            until(lambda: places.waiting == 2 * number + 1)  # noqa: B023
            call = threading.Thread(target=places.call, args=[served.append, f"thread {number}"])
            call.start()
            threads.append(call)
            until(lambda: places.waiting == 2 * number + 2)  # noqa: B023
        held.let_go()
        await asyncio.gather(*tasks)
        await asyncio.to_thread(lambda: [thread.join() for thread in threads])

    asyncio.run(story())
    assert served == ["task 0", "thread 0", "task 1", "thread 1", "task 2", "thread 2"]


def test_waiting_is_bounded() -> None:
    async def ask(places: Bulkhead) -> None:
        async with places:
            pass

    places = bulkhead("bounded", limit=1, max_wait=0.02)
    held = Held(places)
    for wait in (lambda: places.call(int), lambda: asyncio.run(ask(places))):
        started = time.monotonic()
        with pytest.raises(BulkheadFull):
            wait()
        assert 0.02 <= time.monotonic() - started < 10
    assert places.waiting == 0
    held.let_go()
    assert places.taken == 0


def test_nobody_waits_longer_than_the_time_limit_around_it() -> None:
    places = bulkhead("limited", limit=1, max_wait=60)
    held = Held(places)
    started = time.monotonic()
    with pytest.raises(BulkheadFull), time_limit(0.02):
        places.call(int)
    assert time.monotonic() - started < 5
    held.let_go()


def test_a_waiter_that_is_cancelled_leaves_the_line() -> None:
    places = bulkhead("cancelled", limit=1, max_wait=60)

    async def story() -> None:
        held = Held(places)
        task = asyncio.create_task(places.acall(asyncio.sleep, 60))
        await asyncio.sleep(0.01)
        assert places.waiting == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert places.waiting == 0
        held.let_go()

    asyncio.run(story())
    assert places.taken == 0


def test_cancelled_just_as_it_is_admitted_it_gives_the_place_to_the_next() -> None:
    places = bulkhead("just", limit=1, max_wait=60)

    async def story() -> None:
        held = Held(places)
        first = asyncio.create_task(places.acall(asyncio.sleep, 60))
        second = asyncio.create_task(places.acall(asyncio.sleep, 0, "served"))
        await asyncio.sleep(0.01)
        assert places.waiting == 2
        held.let_go()  # in this turn of the loop, so the first has not noticed
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await second == "served"

    asyncio.run(story())
    assert (places.taken, places.waiting) == (0, 0)


def test_a_waiter_whose_loop_has_ended_is_passed_over() -> None:
    places = bulkhead("ended", limit=1, max_wait=60)
    held = Held(places)
    loop = asyncio.new_event_loop()
    task = loop.create_task(places.acall(asyncio.sleep, 0))
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    assert places.waiting == 1
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(places.call, int)
        until(lambda: places.waiting == 2)
        held.let_go()
        assert waiter.result(30) == 0
    with suppress(BaseException):
        task.get_coro().close()
    task._log_destroy_pending = False
    assert (places.taken, places.waiting) == (0, 0)


@pytest.mark.race
def test_there_are_never_more_than_the_limit_and_no_place_is_lost() -> None:
    places = bulkhead("storm", limit=3, max_wait=0.002)
    inside, most, refused, served = [], [0], [], []

    def note(change: Callable[[], object]) -> None:
        change()
        most[0] = max(most[0], len(inside))

    def threaded() -> None:
        for number in range(300):
            try:
                with places:
                    note(lambda: inside.append(1))
                    time.sleep(0.0005 * (number % 3))
                    inside.pop()
                    served.append(1)
            except BulkheadFull:
                refused.append(1)

    async def one(number: int) -> None:
        try:
            async with places:
                note(lambda: inside.append(1))
                try:
                    await asyncio.sleep(0.0005 * (number % 3))
                finally:
                    inside.pop()
                served.append(1)
        except BulkheadFull:
            refused.append(1)

    async def tasked() -> None:
        for number in range(60):
            tasks = [asyncio.create_task(one(number)) for _ in range(10)]
            await asyncio.sleep(0.001 * (number % 4))
            tasks[number % 10].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    threads = [threading.Thread(target=threaded) for _ in range(6)]
    threads += [threading.Thread(target=lambda: asyncio.run(tasked())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 3
    assert served and refused
    assert (places.taken, places.waiting) == (0, 0)


def test_a_forked_child_has_all_places_to_itself() -> None:
    def work() -> None:
        with places, bulkhead("forked", limit=2):
            assert (places.taken, places.waiting) == (2, 0)

    places = bulkhead("forked", limit=2, max_wait=60)
    held = [Held(places), Held(places)]
    waiter = threading.Thread(target=places.call, args=[int])
    waiter.start()
    until(lambda: places.waiting)
    assert forked(work) == 0
    assert (places.taken, places.waiting) == (2, 1)
    for holder in held:
        holder.let_go()
    waiter.join()
    assert places.taken == 0


def test_a_child_forked_within_a_call_gains_no_place_by_it() -> None:
    def work() -> None:
        call.close()
        with places, places, pytest.raises(BulkheadFull):
            places.call(int)

    places = bulkhead("within", limit=2)
    with ExitStack() as call:
        call.enter_context(places)
        assert forked(work) == 0
        assert places.taken == 1
    assert places.taken == 0


def test_a_name_is_one_bulkhead_while_it_is_in_use() -> None:
    one, other = bulkhead("name", limit=1), bulkhead("name", limit=1, max_wait=1)
    with one:
        assert other.taken == 1
    with pytest.raises(PolicyError, match="has a limit of 1, not 2"):
        bulkhead("name", limit=2)
    del one, other
    assert bulkhead("name", limit=2).limit == 2


@pytest.mark.parametrize(
    "options",
    [
        {"limit": 0},
        {"limit": 1.5},
        {"limit": 1, "max_wait": -1},
        {"limit": 1, "max_wait": float("inf")},
        {"limit": 1, "max_wait": None},
    ],
    ids=str,
)
def test_a_bulkhead_that_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        bulkhead("x", **options)


def test_a_refusal_is_a_503_that_says_nothing_of_the_dependency() -> None:
    error = pickle.loads(pickle.dumps(BulkheadFull("gpu", 8, 1.0)))
    assert (error.name, error.limit, error.retry_after) == ("gpu", 8, 1.0)
    assert (error.status, error.code) == (503, "bulkhead_full")
    assert default_outcome(error) is Outcome.NEUTRAL
