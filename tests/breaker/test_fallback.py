"""What is answered instead of a call that is refused."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from functools import partial
from typing import Any

import pytest

from breaker import CircuitOpenError, PolicyError, circuit_breaker, get_breaker
from breaker.window import Tally
from tests.breaker.test_guard import Down, open_circuit, view

Guarded = Callable[..., Any]


def call(name: str, fallback: Any, end: BaseException | None = None, **options: Any) -> Guarded:
    @circuit_breaker(name, fallback=fallback, **options)
    def function(left: int, *, right: int = 2) -> list[int]:
        if end:
            raise end
        return [left, right]

    return function


def acall(name: str, fallback: Any, end: BaseException | None = None, **options: Any) -> Guarded:
    @circuit_breaker(name, fallback=fallback, **options)
    async def function(left: int, *, right: int = 2) -> list[int]:
        await asyncio.sleep(0)
        if end:
            raise end
        return [left, right]

    return lambda *args, **kwargs: asyncio.run(function(*args, **kwargs))


def stream(name: str, fallback: Any, end: BaseException | None = None, **options: Any) -> Guarded:
    @circuit_breaker(name, fallback=fallback, **options)
    def function(left: int, *, right: int = 2) -> Generator[int, None, None]:
        if end:
            raise end
        yield left
        yield right

    return lambda *args, **kwargs: list(function(*args, **kwargs))


def astream(name: str, fallback: Any, end: BaseException | None = None, **options: Any) -> Guarded:
    @circuit_breaker(name, fallback=fallback, **options)
    async def function(left: int, *, right: int = 2) -> AsyncGenerator[int, None]:
        if end:
            raise end
        yield left
        yield right

    async def collected(*args: Any, **kwargs: Any) -> list[int]:
        return [item async for item in function(*args, **kwargs)]

    return lambda *args, **kwargs: asyncio.run(collected(*args, **kwargs))


def negated(left: int, *, right: int = 2) -> list[int]:
    return [-left, -right]


async def anegated(left: int, *, right: int = 2) -> list[int]:
    await asyncio.sleep(0)
    return [-left, -right]


def negated_items(left: int, *, right: int = 2) -> Generator[int, None, None]:
    yield from negated(left, right=right)


async def anegated_items(left: int, *, right: int = 2) -> AsyncGenerator[int, None]:
    for item in await anegated(left, right=right):
        yield item


FITTING = {
    call: [negated],
    acall: [negated, anegated],
    stream: [negated, negated_items],
    astream: [negated, anegated, negated_items, anegated_items],
}
every_kind = pytest.mark.parametrize("kind", FITTING)


@pytest.mark.parametrize(
    ("kind", "fallback"),
    [(kind, fallback) for kind, fallbacks in FITTING.items() for fallback in fallbacks],
)
def test_a_refused_call_is_answered_with_its_own_arguments(
    kind: Callable[..., Guarded], fallback: Any
) -> None:
    function = kind("replaced", fallback)
    assert function(1, right=5) == [1, 5]
    open_circuit("replaced")
    assert function(1, right=5) == [-1, -5]
    assert function(3) == [-3, -2]
    assert view("replaced").rejected == 2


@every_kind
def test_a_call_that_fails_is_not_made_up_for(kind: Callable[..., Guarded]) -> None:
    function = kind("failing", negated, Down("mine"), failure_threshold=1)
    with pytest.raises(Down, match="mine"):
        function(1)
    assert view("failing").tally == Tally(failed=1)
    assert function(1) == [-1, -2]


@every_kind
def test_a_call_that_meets_an_open_circuit_further_in_has_begun(
    kind: Callable[..., Guarded],
) -> None:
    open_circuit("inner")
    with pytest.raises(CircuitOpenError) as caught:
        get_breaker("inner").allow()
    refusal = caught.value
    function = kind("outer", negated, refusal)
    with pytest.raises(CircuitOpenError) as caught:
        function(1)
    assert caught.value is refusal


@every_kind
@pytest.mark.parametrize("error", [Down("even this"), CircuitOpenError("other", 1, "open")])
def test_what_the_fallback_raises_is_the_callers_and_nobodys_failure(
    kind: Callable[..., Guarded], error: Exception
) -> None:
    def broken(left: int) -> list[int]:
        raise error

    open_circuit("both")
    with pytest.raises(type(error)) as caught:
        kind("both", broken)(1)
    assert caught.value is error
    assert error.__context__ is None
    assert view("both").tally.failures == 1


def test_functions_of_one_circuit_have_their_own() -> None:
    first, second = call("shared", negated), call("shared", lambda left: [0])
    open_circuit("shared")
    assert (first(1), second(1)) == ([-1, -2], [0])


@every_kind
def test_with_a_key_too(kind: Callable[..., Guarded]) -> None:
    function = kind("by_key", negated, key=lambda left, **_: str(left))
    open_circuit("by_key:1")
    assert (function(1), function(2)) == ([-1, -2], [2, 2])


def test_a_method_hands_on_its_self() -> None:
    class Client:
        def cached(self) -> object:
            return self, "cached"

        @circuit_breaker("method", fallback=cached)
        def get(self) -> object:
            return self, "fresh"

    open_circuit("method")
    client = Client()
    assert client.get() == (client, "cached")


class TestStreams:
    def test_a_reader_sends_throws_and_closes_as_before(self) -> None:
        closed = []

        def echo() -> Generator[Any, Any, str]:
            try:
                sent = yield "ready"
                while sent:
                    sent = yield sent
            except KeyError:
                yield "caught"
            finally:
                closed.append(True)
            return "the end"

        for guarded in (circuit_breaker("a", fallback=list)(echo), self.fallen_back(echo)):
            stream = guarded()
            assert next(stream) == "ready"
            assert stream.send("four") == "four"
            with pytest.raises(StopIteration) as end:
                stream.send(None)
            assert end.value.value == "the end"
            stream = guarded()
            next(stream)
            assert stream.throw(KeyError()) == "caught"
            stream.close()
        assert len(closed) == 4

    def fallen_back(self, echo: Any) -> Any:
        open_circuit("b")

        @circuit_breaker("b", fallback=echo)
        def function() -> Generator[Any, Any, str]:
            yield "never"
            return ""

        return function

    def test_an_async_fallback_is_closed_with_its_reader(self) -> None:
        closed = []

        async def instead() -> AsyncGenerator[int, None]:
            try:
                yield 1
                yield 2
            finally:
                closed.append(True)

        @circuit_breaker("closed", fallback=instead)
        async def function() -> AsyncGenerator[int, None]:
            yield 0

        async def story() -> None:
            stream = function()
            assert await anext(stream) == 1
            await stream.aclose()
            assert closed == [True]

        open_circuit("closed")
        asyncio.run(story())


@pytest.mark.parametrize("fallback", [5, "cached", []], ids=repr)
def test_it_must_be_a_function(fallback: Any) -> None:
    with pytest.raises(PolicyError, match="fallback must be"):
        circuit_breaker("bad", fallback=fallback)


@pytest.mark.parametrize("kind", [call, stream])
@pytest.mark.parametrize(
    "fallback",
    [anegated, anegated_items, partial(anegated, 1)],
    ids=["async", "async items", "partial"],
)
def test_nobody_would_await_that_of_a_plain_function(
    kind: Callable[..., Guarded], fallback: Any
) -> None:
    with pytest.raises(PolicyError, match="fallback of plain code must be"):
        kind("colours", fallback)


def test_one_that_answers_with_a_coroutine_is_plain() -> None:
    async def hidden() -> list[int]:
        return [0]

    @circuit_breaker("handed_on", fallback=lambda left: anegated(left))
    def function(left: int) -> Any:
        return hidden()

    open_circuit("handed_on")
    assert asyncio.run(function(1)) == [-1, -2]


def test_a_body_has_none() -> None:
    guard = circuit_breaker("body", fallback=negated)
    with pytest.raises(TypeError, match="fallback"), guard:
        pytest.fail("the body must not run")
