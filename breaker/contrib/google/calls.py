"""One way to call Google: limited in time, judged by a breaker, failing in words of our own.

A call is described once and then sent by either driver: ``client.models`` and
``client.aio.models`` have the same methods.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.genai import types

from breaker import CircuitOpenError, time_limit

from .circuits import breaker
from .classify import find
from .client import client
from .conf import Settings
from .timing import timed
from .translate import translate

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Call(Generic[T]):
    """``send`` gets the SDK client, sync or async, and ``config``; ``read`` gets what it sent back.

    ``seconds`` limit the whole exchange.
    """

    settings: Settings
    circuit: str
    seconds: float
    config: Any
    send: Callable[[Any, Any], Any]
    read: Callable[[Any], T]

    def sent_by(self, sdk: Any) -> Any:
        options = types.HttpOptions(
            timeout=round(self.seconds * 1000), headers=dict(self.settings.headers())
        )
        return self.send(sdk, self.config.model_copy(update={"http_options": options}))


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # Whoever logs it would log what Google wrote, and that may be a part of the prompt.
        raise translate(find(error)) from None


def run(call: Call[T]) -> T:
    sdk = client(call.settings)
    admitted = breaker(call.circuit).allow()
    with admitted, timed(admitted), _in_our_words(), time_limit(call.seconds):
        return call.read(call.sent_by(sdk))


async def arun(call: Call[T]) -> T:
    sdk = client(call.settings)
    admitted = await breaker(call.circuit).aallow()
    async with admitted:
        with timed(admitted), _in_our_words():
            async with time_limit(call.seconds):
                return call.read(await call.sent_by(sdk.aio))


def stream_chunks(call: Call[T]) -> Iterator[T]:
    sdk = client(call.settings)
    admitted = breaker(call.circuit).allow()
    with admitted, timed(admitted) as watch, _in_our_words():
        for chunk in call.sent_by(sdk):
            read = call.read(chunk)
            with watch.resting():
                yield read


async def astream_chunks(call: Call[T]) -> AsyncIterator[T]:
    sdk = client(call.settings)
    admitted = await breaker(call.circuit).aallow()
    async with admitted:
        with timed(admitted) as watch, _in_our_words():
            # The limit must not strike in the code of the reader.
            async with time_limit(call.seconds).aitems(_read_chunks, call, sdk) as chunks:
                async for chunk in chunks:
                    with watch.resting():
                        yield chunk


async def _read_chunks(call: Call[T], sdk: Any) -> AsyncGenerator[T, None]:
    async for chunk in await call.sent_by(sdk.aio):
        yield call.read(chunk)


def report(circuit: str, end: object) -> None:
    """Tell a breaker of something that ended without having been called through it."""
    with suppress(CircuitOpenError), breaker(circuit).allow() as call:
        call.judge(end)
