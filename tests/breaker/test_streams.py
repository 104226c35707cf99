import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest

from breaker import CircuitOpenError, circuit_breaker, get_breaker
from breaker.window import Tally
from tests.breaker.test_guard import Down, open_circuit, view


@circuit_breaker("stream", failure_threshold=1)
def numbers(*, broken: bool = False) -> Generator[int, str, str]:
    sent = yield 1
    yield 2 if sent is None else len(sent)
    if broken:
        raise Down("mid-stream")
    return "the end"


@circuit_breaker("stream", failure_threshold=1)
async def anumbers(*, broken: bool = False) -> AsyncGenerator[int, str]:
    sent = yield 1
    try:
        yield 2 if sent is None else len(sent)
    except KeyError:
        yield 99
    if broken:
        raise Down("mid-stream")


async def collect(stream: AsyncGenerator[int, str]) -> list[int]:
    return [item async for item in stream]


def test_a_stream_counts_once_when_it_is_exhausted() -> None:
    assert list(numbers()) == [1, 2]
    assert asyncio.run(collect(anumbers())) == [1, 2]
    assert view("stream").tally == Tally(ok=2)


def test_a_stream_that_breaks_has_failed() -> None:
    items = []
    with pytest.raises(Down):
        items.extend(numbers(broken=True))
    assert view("stream").tally == Tally(failed=1)
    with pytest.raises(CircuitOpenError):
        next(numbers())


def test_an_async_stream_that_breaks_has_failed() -> None:
    with pytest.raises(Down):
        asyncio.run(collect(anumbers(broken=True)))
    with pytest.raises(CircuitOpenError):
        asyncio.run(collect(anumbers()))


def test_a_reader_that_stops_early_says_nothing() -> None:
    stream = numbers(broken=True)
    next(stream)
    stream.close()

    async def story() -> None:
        astream = anumbers(broken=True)
        await anext(astream)
        await astream.aclose()

    asyncio.run(story())
    assert view("stream").tally == Tally()


def test_admission_waits_for_the_first_item() -> None:
    numbers().close()
    open_circuit("stream")
    stream = numbers()
    with pytest.raises(CircuitOpenError):
        next(stream)


def test_what_the_reader_sends_and_the_stream_returns_passes_through() -> None:
    stream = numbers()
    assert next(stream) == 1
    assert stream.send("four") == 4
    with pytest.raises(StopIteration) as end:
        next(stream)
    assert end.value.value == "the end"


def test_what_the_reader_sends_and_throws_passes_through_async_streams() -> None:
    async def story() -> None:
        stream = anumbers()
        assert await anext(stream) == 1
        assert await stream.asend("four") == 4
        assert await stream.athrow(KeyError()) == 99
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    asyncio.run(story())
    assert view("stream").tally == Tally(ok=1)


class TestGuardStream:
    @pytest.mark.parametrize("thing", [5, None, object(), len], ids=["int", "none", "object", "f"])
    def test_what_is_no_stream_is_refused_and_no_failure(self, thing: Any) -> None:
        with pytest.raises(TypeError, match="iterable"):
            get_breaker("no stream").guard_stream(thing)
        assert view("no stream").tally.calls == 0

    def test_any_iterable(self) -> None:
        assert list(get_breaker("any").guard_stream([1, 2])) == [1, 2]
        assert view("any").tally == Tally(ok=1)

    def test_a_breaking_iterator_has_failed(self) -> None:
        with pytest.raises(Down):
            list(get_breaker("any").guard_stream(numbers.__wrapped__(broken=True)))
        assert view("any").tally == Tally(failed=1)

    def test_any_async_iterator_is_closed_with_its_reader(self) -> None:
        closed = []

        async def source() -> AsyncGenerator[int, None]:
            try:
                yield 1
                yield 2
            finally:
                closed.append(True)

        async def story() -> None:
            stream = get_breaker("any").guard_stream(source())
            assert await anext(stream) == 1
            await stream.aclose()
            assert closed
            assert await collect(get_breaker("any").guard_stream(source())) == [1, 2]
            assert await collect(get_breaker("any").guard_stream(Countdown())) == [2, 1]

        asyncio.run(story())
        assert view("any").tally == Tally(ok=2)


class Countdown:
    """An async iterator that is no generator, and so has nothing to close."""

    left = 3

    def __aiter__(self) -> "Countdown":
        return self

    async def __anext__(self) -> int:
        self.left -= 1
        if not self.left:
            raise StopAsyncIteration
        return self.left
