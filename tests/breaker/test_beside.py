"""The parts together, in the one stated order and in others."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from functools import partial
from typing import Any

import pytest

from breaker import (
    BulkheadFull,
    CircuitOpenError,
    TimeLimitExceeded,
    bulkhead,
    circuit_breaker,
    get_breaker,
    retry,
    time_left,
    time_limit,
)
from breaker.beside import Part
from breaker.kinds import Kind, kind_of, name_of
from breaker.window import Tally
from tests.breaker.test_bulkhead import Held
from tests.breaker.test_guard import Down, open_circuit, view
from tests.breaker.test_retry import SWIFT, Flaky

Stacked = Callable[[], Any]


def synced(function: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    return lambda *args: asyncio.run(function(*args))


def stacked(call: Callable[[], Any], threshold: int = 5) -> Stacked:
    """In the stated order: retry( bulkhead( breaker( time limit( call ))))."""

    @retry("stack", **SWIFT)
    @bulkhead("stack", limit=2)
    @circuit_breaker("stack", failure_threshold=threshold)
    @time_limit(5)
    def function() -> Any:
        return call()

    return function


def astacked(call: Callable[[], Any], threshold: int = 5) -> Stacked:
    @retry("stack", **SWIFT)
    @bulkhead("stack", limit=2)
    @circuit_breaker("stack", failure_threshold=threshold)
    @time_limit(5)
    async def function() -> Any:
        return call()

    return synced(function)


def streamed(call: Callable[[], Any], threshold: int = 5) -> Stacked:
    @retry("stack", **SWIFT)
    @bulkhead("stack", limit=2)
    @circuit_breaker("stack", failure_threshold=threshold)
    @time_limit(5)
    def function() -> Generator[Any, None, None]:
        yield call()

    return lambda: " ".join(function())


def astreamed(call: Callable[[], Any], threshold: int = 5) -> Stacked:
    @retry("stack", **SWIFT)
    @bulkhead("stack", limit=2)
    @circuit_breaker("stack", failure_threshold=threshold)
    @time_limit(5)
    async def function() -> AsyncGenerator[Any, None]:
        yield call()

    async def collect() -> Any:
        (item,) = [item async for item in function()]
        return item

    return synced(collect)


@pytest.mark.parametrize("stack", [stacked, astacked, streamed, astreamed])
class TestTheStatedOrder:
    def test_each_attempt_is_an_outcome_of_its_own(self, stack: Callable[..., Stacked]) -> None:
        assert stack(Flaky(Down(), Down()))() == "done"
        assert view("stack").tally == Tally(ok=1, failed=2)

    def test_a_refusal_is_not_retried(self, stack: Callable[..., Stacked]) -> None:
        flaky = Flaky(Down(), Down(), Down())
        function = stack(flaky, threshold=1)
        for _ in range(3):
            with pytest.raises(CircuitOpenError):
                function()
        assert flaky.calls == 1
        assert view("stack").rejected == 3

    def test_a_full_bulkhead_says_nothing_of_the_dependency(
        self, stack: Callable[..., Stacked]
    ) -> None:
        flaky = Flaky()
        function = stack(flaky)
        held = [Held(bulkhead("stack", limit=2)) for _ in range(2)]
        with pytest.raises(BulkheadFull):
            function()
        for holder in held:
            holder.let_go()
        assert flaky.calls == 0
        assert view("stack").tally == Tally()

    def test_the_time_limit_is_each_attempts_own(self, stack: Callable[..., Stacked]) -> None:
        seen: list[float] = []

        def call() -> str:
            seen.append(time_left(60))
            time.sleep(0.6)
            if len(seen) < 3:
                raise Down
            return "done"

        assert stack(call)() == "done"
        assert seen[0] - seen[2] < 1


def test_a_call_ended_by_its_limit_is_a_failure_and_is_tried_again() -> None:
    hangs = [60, 60, 0]

    @retry("hang", **SWIFT)
    @circuit_breaker("hang")
    @time_limit(0.01)
    async def call() -> str:
        await asyncio.sleep(hangs.pop(0))
        return "done"

    assert asyncio.run(call()) == "done"
    assert view("hang").tally == Tally(ok=1, failed=2)


class TestOtherOrders:
    def test_a_breaker_around_retries_counts_all_attempts_as_one(self) -> None:
        flaky = Flaky(*[Down() for _ in range(6)])
        part = circuit_breaker("outside")(retry("outside", **SWIFT)(flaky))
        for _ in range(2):
            with pytest.raises(Down):
                part()
        assert flaky.calls == 6
        assert view("outside").tally == Tally(failed=2)

    def test_a_limit_around_the_breaker_is_the_callers_own_and_says_nothing(self) -> None:
        @time_limit(0.01)
        @circuit_breaker("impatient", failure_threshold=1)
        async def call() -> None:
            await asyncio.sleep(60)

        with pytest.raises(TimeLimitExceeded):
            asyncio.run(call())
        assert view("impatient").tally == Tally()

    def test_nor_does_it_in_plain_code(self) -> None:
        @time_limit(0.01)
        @circuit_breaker("impatient", failure_threshold=1)
        @time_limit(60)
        def call() -> None:
            time.sleep(0.02)
            time_left()

        with pytest.raises(TimeLimitExceeded):
            call()
        assert view("impatient").tally == Tally()

    def test_a_limit_around_all_bounds_the_attempts_together(self) -> None:
        flaky = Flaky(Down(), Down(), Down())
        started = time.monotonic()
        with pytest.raises(Down), time_limit(0.1):
            retry("bounded", delay=10, attempts=100).call(flaky)
        assert time.monotonic() - started < 9
        assert flaky.calls < 3

    def test_a_full_bulkhead_within_a_breaker_is_neutral(self) -> None:
        held = Held(bulkhead("inner", limit=1))
        call = circuit_breaker("outer", failure_threshold=1)(bulkhead("inner", limit=1)(sorted))
        with pytest.raises(BulkheadFull):
            call("")
        held.let_go()
        assert view("outer").tally == Tally()
        assert call("") == []

    def test_a_trial_refused_by_a_bulkhead_returns_its_permit(self) -> None:
        open_circuit("trial", open_timeout=0.05)
        held = Held(bulkhead("inner", limit=1))
        time.sleep(0.06)
        with pytest.raises(BulkheadFull):
            get_breaker("trial").call(bulkhead("inner", limit=1).call, int)
        held.let_go()
        assert get_breaker("trial").call(bulkhead("inner", limit=1).call, int) == 0


class PlainCallable:
    def __call__(self) -> None: ...


class AsyncCallable:
    async def __call__(self) -> None: ...

    async def method(self) -> None: ...

    def items(self) -> Generator[int, None, None]:
        yield 1

    @staticmethod
    async def aitems() -> AsyncGenerator[int, None]:
        yield 1


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (len, Kind.FUNCTION),
        (int, Kind.FUNCTION),
        (AsyncCallable, Kind.FUNCTION),
        (lambda: 1, Kind.FUNCTION),
        (PlainCallable(), Kind.FUNCTION),
        (partial(len, "x"), Kind.FUNCTION),
        (asyncio.sleep, Kind.COROUTINE),
        (AsyncCallable(), Kind.COROUTINE),
        (AsyncCallable().method, Kind.COROUTINE),
        (partial(partial(asyncio.sleep, 1), 2), Kind.COROUTINE),
        (partial(AsyncCallable()), Kind.COROUTINE),
        (AsyncCallable().items, Kind.GENERATOR),
        (AsyncCallable.aitems, Kind.ASYNC_GENERATOR),
        (partial(AsyncCallable.aitems), Kind.ASYNC_GENERATOR),
    ],
)
def test_kinds(function: Callable[..., Any], kind: Kind) -> None:
    assert kind_of(function) is kind


def test_names() -> None:
    module = __name__
    for function, name in {
        partial(partial(asyncio.sleep, 1)): "asyncio.tasks.sleep",
        AsyncCallable().method: f"{module}.AsyncCallable.method",
        AsyncCallable(): f"{module}.AsyncCallable",
        AsyncCallable: f"{module}.AsyncCallable",
        len: "builtins.len",
    }.items():
        assert name_of(function) == name
        assert retry()._named_after(function).name == name


PARTS = [retry("parts"), time_limit(60), bulkhead("parts", limit=1)]


@pytest.mark.parametrize("part", PARTS, ids=["retry", "time limit", "bulkhead"])
class TestEveryPart:
    def test_keeps_the_kind_of_what_it_decorates(self, part: Any) -> None:
        for function in (len, asyncio.sleep, AsyncCallable().items, AsyncCallable.aitems):
            assert kind_of(part(function)) is kind_of(function)

    @pytest.mark.parametrize("outside", [False, True], ids=["within", "around"])
    def test_decorates_methods_of_every_kind(self, part: Any, outside: bool) -> None:
        def wrap(method: Callable[[Any], Any]) -> Callable[[Any], Any]:
            return lambda function: part(method(function)) if outside else method(part(function))

        class Client:
            @part
            def plain(self) -> object:
                return self

            @wrap(classmethod)
            def made(cls) -> object:  # noqa: N805
                return cls

            @wrap(staticmethod)
            async def apart() -> str:  # type: ignore[misc]
                return "apart"

        client = Client()
        assert (client.plain(), client.made(), Client.made()) == (client, Client, Client)
        assert asyncio.run(client.apart()) == "apart"

    @pytest.mark.parametrize(
        "thing", [AsyncCallable, "text", property(len)], ids=lambda one: type(one).__name__
    )
    def test_decorates_nothing_but_functions(self, part: Any, thing: Any) -> None:
        with pytest.raises(TypeError):
            part(thing)

    def test_names_of_arguments_do_not_clash(self, part: Any) -> None:
        @part
        def call(*, self: int, function: int) -> int:
            return self + function

        assert call(self=1, function=2) == 3

    def test_passes_all_that_a_stream_may_be_told(self, part: Any) -> None:
        @part
        def numbers() -> Generator[Any, Any, str]:
            sent = yield 1
            try:
                yield sent
            except KeyError as error:
                yield type(error)
            return "the end"

        stream = numbers()
        assert (next(stream), stream.send(2), stream.throw(KeyError())) == (1, 2, KeyError)
        with pytest.raises(StopIteration, match="the end"):
            next(stream)

    def test_passes_all_that_an_async_stream_may_be_told(self, part: Any) -> None:
        @part
        async def numbers() -> AsyncGenerator[Any, Any]:
            sent = yield 1
            try:
                yield sent
            except KeyError as error:
                yield type(error)

        async def story() -> list[Any]:
            stream = numbers()
            steps = (stream.asend(None), stream.asend(2), stream.athrow(KeyError()))
            return [await step for step in steps] + [await anext(stream, "the end")]

        assert asyncio.run(story()) == [1, 2, KeyError, "the end"]

    @pytest.mark.parametrize("early", [True, False], ids=["given up", "exhausted"])
    def test_closes_a_stream(self, part: Any, early: bool) -> None:
        closed = []

        @part
        def numbers() -> Generator[int, None, None]:
            try:
                yield 1
            finally:
                closed.append("sync")

        @part
        async def anumbers() -> AsyncGenerator[int, None]:
            try:
                yield 1
            finally:
                closed.append("async")

        async def story() -> None:
            stream = anumbers()
            await anext(stream)
            await (stream.aclose() if early else anext(stream, None))

        items = numbers()
        next(items)
        items.close() if early else next(items, None)
        asyncio.run(story())
        assert closed == ["sync", "async"]

    def test_is_a_part(self, part: Part) -> None:
        assert part.call(len, "abc") == 3
        assert asyncio.run(part.acall(asyncio.sleep, 0, "done")) == "done"


class TestWhatAPlainFunctionHandsOn:
    """A decorator that knows nothing of coroutines may stand between."""

    def test_holds_its_place_until_it_ends(self) -> None:
        places = bulkhead("handed on", limit=1)
        taken = []

        async def work() -> None:
            taken.append(places.taken)

        def items() -> Generator[int, None, None]:
            yield places.taken

        asyncio.run(places(lambda: work())())
        assert taken == list(places(lambda: items())()) == [1]
        assert places.taken == 0

    def test_is_limited_in_time(self) -> None:
        async def work() -> None:
            await asyncio.sleep(30)

        def items() -> Generator[float | None, None, None]:
            yield time_left()

        with pytest.raises(TimeLimitExceeded):
            asyncio.run(time_limit(0.01)(lambda: work())())
        (left,) = time_limit(60)(lambda: items())()
        assert left is not None and 0 < left <= 60

    def test_is_tried_again(self) -> None:
        attempts = []

        async def work(number: int) -> int:
            attempts.append(number)
            if len(attempts) < 3:
                raise Down
            return number

        again = retry("handed on", attempts=3, delay=0)
        assert asyncio.run(again(lambda number: work(number))(7)) == 7
        assert attempts == [7, 7, 7]

    def test_is_judged_by_what_it_ends_in(self) -> None:
        answers = ["bad", "good"]

        async def work() -> str:
            return answers.pop(0)

        again = retry("handed on", delay=0, record_result=lambda answer: answer == "bad")
        assert asyncio.run(again(lambda: work())()) == "good"
