"""What a flow may ask of its driver.

A flow is a generator. It yields steps; a driver of either colour performs each and sends back the
reply, or throws in what went wrong.
"""

from collections.abc import Generator
from enum import IntEnum
from typing import Any, NamedTuple, TypeVar

from .durability import Confirm
from .errors import ConnectionBroken, ScriptMissing
from .scripts import Script

T = TypeVar("T")

# Kept back from a wait, so that giving up politely does not outlast it.
FAREWELL = 0.1


class News(IntEnum):
    """How a waiter is going to learn that it is its turn."""

    NONE = 0
    PUSHED = 1
    POLLED = 2


# Looked up once: on the way to every lock.
NONE, PUSHED, POLLED = News


class Run(NamedTuple):
    """Run a script and return its reply; ``until`` is a time of the local clock."""

    script: Script
    keys: tuple[str, ...]
    args: tuple[str | int, ...]
    until: float | None = None
    whole: bool = False
    # A command that is sent behind it; the reply is then a pair.
    confirm: Confirm | None = None


class Settle(NamedTuple):
    """Run a script as a last word, at best effort: behind the call still unanswered, if one is."""

    script: Script
    keys: tuple[str, ...]
    args: tuple[str | int, ...]
    patience: float = FAREWELL


class Listen(NamedTuple):
    """Wake the flow when the store has news for ``token``; replies with News.

    Without ``seconds`` only if somebody listens already, otherwise taking so long to begin.
    """

    token: str
    channel: str
    seconds: float = 0.0


class Await(NamedTuple):
    """Sleep until there is news, or so long.

    Replies with News, which a lost connection changes, and the fence under which the lock was
    handed to the token, or 0.
    """

    seconds: float


Step = Run | Settle | Listen | Await
Flow = Generator[Step, Any, T]


def ask(run: Run) -> Flow[Any]:
    reply, _ = yield from ask_twice(run)
    return reply


def ask_twice(run: Run) -> Flow[tuple[Any, bool]]:
    """A script forgotten or a pooled connection gone stale costs one more try.

    The second try is harmless because every script knows its caller by the token. Returns the
    reply, and whether the first try may still be on its way.
    """
    broken = False
    while True:
        try:
            return (yield run), broken
        except ScriptMissing:
            run = run._replace(whole=True)
        except ConnectionBroken:
            if broken:
                raise
            broken = True
