"""Every admitted call gets one verdict at most, of whatever kind it is and however it ends."""

import asyncio
import gc
import queue
import threading
from collections.abc import AsyncGenerator, Generator
from itertools import count
from typing import Any, Protocol

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from breaker import circuit_breaker, flights, get_breaker
from breaker.breaker import Breaker
from breaker.window import Tally
from tests.breaker.test_guard import Down, view

numbers = count()
FOREVER = 1e9
PATIENT = {"failure_threshold": 1_000_000, "slow_call_seconds": 600.0}
ENDS = {"ok": None, "fail": Down(), "cancel": asyncio.CancelledError()}


class Ended(Protocol):
    waits: bool
    """Whether the dependency is being waited for."""

    def end(self, error: BaseException | None) -> None: ...


class TwoBeats:
    waits = True

    def __init__(self, breaker: Breaker, loop: asyncio.AbstractEventLoop) -> None:
        self.call = breaker.allow()

    def end(self, error: BaseException | None) -> None:
        self.call.judge(error)
        self.call.ok()


class Body:
    waits = True

    def __init__(self, breaker: Breaker, loop: asyncio.AbstractEventLoop) -> None:
        self.guard = circuit_breaker(breaker.name)
        self.guard.__enter__()

    def end(self, error: BaseException | None) -> None:
        self.guard.__exit__(type(error) if error else None, error, None)


class Thread:
    waits = True

    def __init__(self, breaker: Breaker, loop: asyncio.AbstractEventLoop) -> None:
        self.orders: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        begun = threading.Event()

        @circuit_breaker(breaker.name)
        def function() -> None:
            begun.set()
            if error := self.orders.get():
                raise error

        def run() -> None:
            try:
                function()
            except (Down, asyncio.CancelledError):
                return

        self.thread = threading.Thread(target=run)
        self.thread.start()
        begun.wait()

    def end(self, error: BaseException | None) -> None:
        self.orders.put(error)
        self.thread.join()


class Task:
    waits = True

    def __init__(self, breaker: Breaker, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.end_of_call = loop.create_future()

        @circuit_breaker(breaker.name)
        async def function() -> None:
            await self.end_of_call

        self.task = loop.create_task(function())
        loop.run_until_complete(asyncio.sleep(0))

    def end(self, error: BaseException | None) -> None:
        if isinstance(error, asyncio.CancelledError):
            self.task.cancel()
        elif error:
            self.end_of_call.set_exception(error)
        else:
            self.end_of_call.set_result(None)
        self.loop.run_until_complete(asyncio.gather(self.task, return_exceptions=True))


class Stream:
    """Between two items; cancelling it is closing it."""

    waits = False

    def __init__(self, breaker: Breaker, loop: asyncio.AbstractEventLoop) -> None:
        @circuit_breaker(breaker.name)
        def function() -> Generator[int, None, None]:
            yield 1
            yield 2

        self.items = self.made(breaker, function)
        next(self.items)

    def made(self, breaker: Breaker, function: Any) -> Generator[int, None, None]:
        items: Generator[int, None, None] = function()
        return items

    def end(self, error: BaseException | None) -> None:
        if error is None:
            list(self.items)
        elif isinstance(error, Down):
            try:
                self.items.throw(error)
            except Down:
                return
        else:
            self.items.close()


class HandedOn(Stream):
    """Made by a plain function, that has returned."""

    def made(self, breaker: Breaker, function: Any) -> Generator[int, None, None]:
        return breaker.call(function.__wrapped__)


class AsyncStream:
    waits = False

    def __init__(self, breaker: Breaker, loop: asyncio.AbstractEventLoop) -> None:
        @circuit_breaker(breaker.name)
        async def function() -> AsyncGenerator[int, None]:
            yield 1
            yield 2

        self.loop = loop
        self.items = function()
        loop.run_until_complete(anext(self.items))

    def end(self, error: BaseException | None) -> None:
        self.loop.run_until_complete(self.ended(error))

    async def ended(self, error: BaseException | None) -> None:
        if error is None:
            _ = [item async for item in self.items]
        elif isinstance(error, Down):
            try:
                await self.items.athrow(error)
            except Down:
                return
        else:
            await self.items.aclose()


class WaitingStream:
    """In the wait for an item."""

    waits = True

    def __init__(self, breaker: Breaker, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.end_of_wait = loop.create_future()

        async def source() -> AsyncGenerator[int, None]:
            yield 1
            await self.end_of_wait

        self.items = breaker.guard_stream(source())
        loop.run_until_complete(anext(self.items))
        self.step = loop.create_task(self.one_more())
        loop.run_until_complete(asyncio.sleep(0))

    async def one_more(self) -> None:
        await anext(self.items, None)

    def end(self, error: BaseException | None) -> None:
        if isinstance(error, asyncio.CancelledError):
            self.step.cancel()
        elif error:
            self.end_of_wait.set_exception(error)
        else:
            self.end_of_wait.set_result(None)
        self.loop.run_until_complete(asyncio.gather(self.step, return_exceptions=True))


KINDS = (TwoBeats, Body, Thread, Task, Stream, HandedOn, AsyncStream, WaitingStream)
DROPPABLE = (TwoBeats, Stream, HandedOn)


class Verdicts(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        # A collection looks at what a call leaves behind, not at all that other tests did.
        gc.freeze()
        self.breaker = get_breaker(f"verdicts:{next(numbers)}", **PATIENT)
        self.breaker.replica.load()
        self.loop = asyncio.new_event_loop()
        self.in_flight: list[Ended] = []
        self.judged: list[Ended] = []
        """In flight, and judged by the agent already."""
        self.expected = Tally()

    @rule(kind=st.sampled_from(KINDS))
    def begin(self, kind: type[Any]) -> None:
        self.in_flight.append(kind(self.breaker, self.loop))

    @precondition(lambda self: self.in_flight)
    @rule(number=st.integers(0, 99), end=st.sampled_from(sorted(ENDS)))
    def end(self, number: int, end: str) -> None:
        call = self.in_flight.pop(number % len(self.in_flight))
        call.end(ENDS[end])
        self.expected += {"ok": Tally(ok=1), "fail": Tally(failed=1), "cancel": Tally()}[end]

    @precondition(lambda self: self.judged)
    @rule(number=st.integers(0, 99), end=st.sampled_from(sorted(ENDS)))
    def end_after_the_verdict(self, number: int, end: str) -> None:
        self.judged.pop(number % len(self.judged)).end(ENDS[end])

    @precondition(lambda self: any(isinstance(call, DROPPABLE) for call in self.in_flight))
    @rule()
    def drop(self) -> None:
        dropped = next(call for call in self.in_flight if isinstance(call, DROPPABLE))
        self.in_flight.remove(dropped)
        del dropped
        gc.collect()

    @rule()
    def hang(self) -> None:
        flights.judge_overdue(FOREVER)
        hung = [call for call in self.in_flight if call.waits]
        self.in_flight = [call for call in self.in_flight if not call.waits]
        self.judged += hung
        self.expected += Tally(slow=len(hung))

    @invariant()
    def each_has_one_verdict_at_most(self) -> None:
        assert view(self.breaker.name).tally == self.expected

    def teardown(self) -> None:
        for call in (*self.in_flight, *self.judged):
            call.end(None)
        self.loop.close()
        gc.unfreeze()


TestVerdicts = Verdicts.TestCase
TestVerdicts.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
