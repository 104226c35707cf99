"""Calls that take too long, be it that they end at last or that they hang."""

import asyncio
import gc
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import suppress
from typing import Any

import pytest

from breaker import circuit_breaker, flights, get_breaker
from breaker.breaker import Breaker
from breaker.call import Call
from breaker.circuit import Verb
from breaker.control import act
from breaker.window import Tally
from tests.breaker.test_guard import Down, open_circuit, view
from tests.breaker.test_outages import eventually
from tests.locking.workers import forked

pytestmark = pytest.mark.race

LIMIT = 0.5
LATE = 0.7
LOOKED = 1.5
"""By then the agent has looked, whatever else it had to do."""
HUNG = 60
"""Or until the call is over."""

over = threading.Event()


@pytest.fixture(autouse=True)
def not_over() -> Iterator[None]:
    over.clear()
    yield
    over.set()


def rest(seconds: float) -> None:
    over.wait(seconds)


async def arest(seconds: float) -> None:
    until = time.monotonic() + seconds
    while not over.is_set() and (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(left, 0.02))


def slow(name: str = "slow", **options: Any) -> Breaker:
    return get_breaker(name, slow_call_seconds=LIMIT, **options)


def finish(end: BaseException | None) -> str:
    if end:
        raise end
    return "done"


# A call of each kind that takes a while, and then ends as it is told.


def call(breaker: Breaker, seconds: float, end: BaseException | None = None) -> str:
    def function() -> str:
        rest(seconds)
        return finish(end)

    return breaker.call(function)


def acall(breaker: Breaker, seconds: float, end: BaseException | None = None) -> str:
    async def function() -> str:
        await arest(seconds)
        return finish(end)

    return asyncio.run(breaker.acall(function))


def body(breaker: Breaker, seconds: float, end: BaseException | None = None) -> str:
    with circuit_breaker(breaker.name):
        rest(seconds)
        return finish(end)


def abody(breaker: Breaker, seconds: float, end: BaseException | None = None) -> str:
    async def story() -> str:
        async with circuit_breaker(breaker.name):
            await arest(seconds)
            return finish(end)

    return asyncio.run(story())


def stream(breaker: Breaker, seconds: float, end: BaseException | None = None) -> str:
    @circuit_breaker(breaker.name)
    def items() -> Generator[str, None, None]:
        yield "first"
        rest(seconds)
        yield finish(end)

    return list(items())[-1]


def astream(breaker: Breaker, seconds: float, end: BaseException | None = None) -> str:
    @circuit_breaker(breaker.name)
    async def items() -> AsyncGenerator[str, None]:
        yield "first"
        await arest(seconds)
        yield finish(end)

    async def story() -> str:
        return [item async for item in items()][-1]

    return asyncio.run(story())


def lazily(breaker: Breaker, seconds: float, end: BaseException | None = None) -> str:
    """A plain function that hands on a coroutine."""

    async def function() -> str:
        await arest(seconds)
        return finish(end)

    async def story() -> str:
        return await breaker.call(function)

    return asyncio.run(story())


Way = Callable[..., str]
every_way = pytest.mark.parametrize("way", [call, acall, body, abody, stream, astream, lazily])


@every_way
def test_a_call_that_ends_well_but_late_is_slow(way: Way) -> None:
    breaker = slow()
    assert way(breaker, LATE) == "done"
    assert way(breaker, 0) == "done"
    eventually(lambda: view("slow").tally == Tally(ok=1, slow=1))


@every_way
def test_a_call_that_fails_in_time_is_a_failure(way: Way) -> None:
    breaker = slow()
    with pytest.raises(Down):
        way(breaker, 0, Down())
    assert view("slow").tally == Tally(failed=1)


@every_way
@pytest.mark.parametrize("end", [None, Down(), SystemExit()], ids=repr)
def test_a_hung_call_is_slow_before_it_ends_and_nothing_more_after(
    way: Way, end: BaseException | None
) -> None:
    breaker = slow()

    def hang() -> None:
        with suppress(Down, SystemExit):
            way(breaker, HUNG, end)

    caller = threading.Thread(target=hang)
    caller.start()
    eventually(lambda: view("slow").tally == Tally(slow=1))
    assert caller.is_alive()
    over.set()
    caller.join()
    assert view("slow").tally == Tally(slow=1)


@every_way
def test_hung_calls_open_the_circuit_before_any_of_them_ends(way: Way) -> None:
    breaker = slow(failure_threshold=3)
    callers = [threading.Thread(target=way, args=(breaker, HUNG)) for _ in range(3)]
    for caller in callers:
        caller.start()
    eventually(lambda: breaker.state == "open")
    assert all(caller.is_alive() for caller in callers)
    assert view("slow").reason == "slow_rate_reached"
    over.set()
    for caller in callers:
        caller.join()


@every_way
def test_without_a_limit_a_call_may_take_its_time(way: Way) -> None:
    breaker = get_breaker("patient", slow_call_seconds=None)
    assert way(breaker, 1.2) == "done"
    assert view("patient").tally == Tally(ok=1)


class TestTheLateEnd:
    """Of calls that the agent has not come to judge."""

    def end(self, verdict: Callable[[Call], None]) -> Tally:
        call = slow().allow()
        flights.forget()
        time.sleep(LATE)
        verdict(call)
        return view("slow").tally

    def test_of_a_failure_is_a_failure(self) -> None:
        assert self.end(lambda call: call.fail(Down())) == Tally(failed=1)

    def test_of_a_cancelled_call_is_slow(self) -> None:
        assert self.end(lambda call: call.judge(asyncio.CancelledError())) == Tally(slow=1)

    def test_of_a_success_is_slow(self) -> None:
        assert self.end(lambda call: call.ok()) == Tally(slow=1)


def test_a_call_cancelled_in_time_says_nothing_and_late_is_slow() -> None:
    async def cancel_after(seconds: float) -> None:
        task = asyncio.create_task(slow().acall(asyncio.sleep, 60))
        await asyncio.sleep(seconds)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_after(0.01))
    assert view("slow").tally == Tally()
    asyncio.run(cancel_after(LATE))
    eventually(lambda: view("slow").tally == Tally(slow=1))


def test_a_dropped_call_is_no_hung_one() -> None:
    breaker = slow()
    call = breaker.allow()
    del call
    gc.collect()
    time.sleep(LOOKED)
    assert view("slow").tally == Tally()


def test_a_verdict_before_the_end_of_the_body_ends_the_measuring() -> None:
    breaker = slow()
    with circuit_breaker(breaker.name) as call:
        call.ok()
        time.sleep(LATE)

    async def story() -> None:
        async with circuit_breaker(breaker.name) as call:
            call.ok()
            await asyncio.sleep(LOOKED)

    asyncio.run(story())
    assert view("slow").tally == Tally(ok=2)


def test_of_caller_and_agent_the_first_to_judge_wins() -> None:
    """The calls end about when the agent comes to judge them."""
    breaker = slow(failure_threshold=1_000_000)
    waits = [LIMIT * (0.5 + number / 200) for number in range(300)]
    callers = [threading.Thread(target=call, args=(breaker, wait)) for wait in waits]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    eventually(lambda: view("slow").tally.calls == len(callers))
    tally = view("slow").tally
    assert tally.slow + tally.ok == len(callers)
    # How many were in time, if any, is the machine's affair; half of them were to be late.
    assert tally.slow >= len(callers) // 2


def test_a_hung_call_of_an_earlier_epoch_is_nothing() -> None:
    breaker = slow(failure_threshold=1)
    in_flight = breaker.allow()
    breaker.allow().fail(Down())
    act("slow", Verb.CLOSE, actor="ada", reason="fixed")
    time.sleep(LOOKED)
    assert view("slow").tally == Tally()
    in_flight.ok()
    assert view("slow").tally == Tally()


def test_a_forked_child_knows_nothing_of_the_calls_of_its_parent() -> None:
    breaker = slow()
    in_flight = [breaker.allow() for _ in range(3)]

    def work() -> None:
        breaker.call(int)
        time.sleep(LOOKED)
        breaker.replica.flush()

    assert forked(work) == 0
    for admitted in in_flight:
        admitted.neutral()
    assert view("slow").tally == Tally(ok=1, slow=3)


class TestTrials:
    @every_way
    def test_a_hung_trial_opens_the_circuit_again(self, way: Way) -> None:
        open_circuit("trial", open_timeout=0.05)
        breaker = slow("trial", open_timeout=60)
        before = view("trial").epoch
        time.sleep(0.1)
        caller = threading.Thread(target=way, args=(breaker, HUNG))
        caller.start()
        eventually(lambda: breaker.state == "half_open")
        eventually(lambda: breaker.state == "open")
        assert caller.is_alive()
        over.set()
        caller.join()
        after = view("trial")
        assert after.epoch > before
        assert (after.state, after.reason) == ("open", "trial_failed")
        assert "The trial took too long" in after.last_error

    @every_way
    def test_a_trial_has_a_limit_of_its_own(self, way: Way) -> None:
        open_circuit("trial", open_timeout=0.05)
        breaker = get_breaker("trial", open_timeout=60, half_open_timeout=0.2)
        time.sleep(0.1)
        caller = threading.Thread(target=way, args=(breaker, HUNG))
        caller.start()
        eventually(lambda: breaker.state == "half_open")
        eventually(lambda: breaker.state == "open")
        assert caller.is_alive()
        over.set()
        caller.join()
        assert view("trial").totals == Tally(failed=2)

    @every_way
    def test_a_slow_trial_that_ends_well_has_failed(self, way: Way) -> None:
        open_circuit("trial", open_timeout=0.05)
        breaker = slow("trial", open_timeout=60)
        time.sleep(0.1)
        assert way(breaker, LATE) == "done"
        eventually(lambda: view("trial").reason == "trial_failed")

    @every_way
    def test_a_swift_trial_closes_the_circuit(self, way: Way) -> None:
        open_circuit("trial", open_timeout=0.05)
        breaker = get_breaker("trial", slow_call_seconds=60.0, half_open_timeout=60)
        time.sleep(0.1)
        assert way(breaker, 0) == "done"
        assert view("trial").reason == "trial_succeeded"


class TestStreams:
    """Only the waiting for items counts, be it for the first or between two."""

    def test_a_reader_may_take_its_time(self) -> None:
        for _ in slow().guard_stream([1, 2]):
            time.sleep(LATE)
        assert view("slow").tally == Tally(ok=1)

    def test_a_reader_of_an_async_stream_may_take_its_time(self) -> None:
        async def story() -> None:
            async for _ in slow().guard_stream(dripping(0)):
                await asyncio.sleep(LATE)

        asyncio.run(story())
        assert view("slow").tally == Tally(ok=1)

    def test_each_wait_has_the_whole_limit(self) -> None:
        def items() -> Generator[int, None, None]:
            for number in range(4):
                time.sleep(LIMIT / 3)
                yield number

        assert list(slow().guard_stream(items())) == [0, 1, 2, 3]
        assert view("slow").tally == Tally(ok=1)

    def test_one_late_item_makes_the_stream_slow_however_it_goes_on(self) -> None:
        async def story() -> None:
            stream = slow().guard_stream(dripping(LATE, 0, 0))
            await anext(stream)
            await stream.aclose()

        asyncio.run(story())
        eventually(lambda: view("slow").tally == Tally(slow=1))

    def test_a_wait_for_an_item_that_hangs_is_slow_before_it_ends(self) -> None:
        async def story() -> None:
            stream = slow().guard_stream(dripping(0, 60))
            await anext(stream)
            await asyncio.sleep(LATE)
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            assert view("slow").tally == Tally()
            while view("slow").tally != Tally(slow=1):
                await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

        asyncio.run(asyncio.wait_for(story(), 30))
        assert view("slow").tally == Tally(slow=1)

    def test_one_that_nobody_reads_does_not_hang(self) -> None:
        breaker = slow()
        items = breaker.call(lambda: (number for number in range(3)))
        time.sleep(LOOKED)
        assert list(items) == [0, 1, 2]
        assert view("slow").tally == Tally(ok=1)


async def dripping(*waits: float) -> AsyncGenerator[int, None]:
    for number, seconds in enumerate(waits):
        await asyncio.sleep(seconds)
        yield number
