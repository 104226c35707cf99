"""The request that this thread or task works for. Logs and calls of others ask here whose it is."""

import os
from contextvars import ContextVar
from dataclasses import dataclass
from random import Random

from config.tracing import Trace


@dataclass(slots=True)
class Current:
    """Filled in as the request goes its way; ``began`` on the clock of ``time.perf_counter``."""

    id: str
    trace: Trace
    method: str
    began: float
    route: str | None = None
    """Of the pattern, never of the path: that may carry what its caller wants kept out of logs."""
    user: str | None = None
    status: int = 0


here: ContextVar[Current | None] = ContextVar("current_request", default=None)

# Of our own, so that nobody else's seed makes ids come twice; nor may a forked child repeat them.
_random = Random()
os.register_at_fork(after_in_child=_random.seed)


def unique(digits: int) -> str:
    """Hexadecimal digits that nobody else will draw. Not a secret: those of the operating system
    took a request thirty microseconds, a fifth of what all around its view may take."""
    return f"{_random.getrandbits(4 * digits):0{digits}x}"


def note(*, route: str | None = None, user: str | None = None) -> None:
    """What became known of it; tests that call Django by itself have no request to note it of."""
    if current := here.get():
        current.route = route or current.route
        current.user = user or current.user


def trace_headers() -> dict[str, str]:
    """For one call to somebody else, as a span of its own; nothing outside of requests."""
    current = here.get()
    return current.trace.onward(unique(16)) if current else {}
