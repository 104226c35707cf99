"""The request that this thread or task works for. Logs and calls of others ask here whose it is."""

import secrets
from contextvars import ContextVar
from dataclasses import dataclass

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


def note(*, route: str | None = None, user: str | None = None) -> None:
    """What became known of it; tests that call Django by itself have no request to note it of."""
    if current := here.get():
        current.route = route or current.route
        current.user = user or current.user


def trace_headers() -> dict[str, str]:
    """For one call to somebody else, as a span of its own; nothing outside of requests."""
    current = here.get()
    return current.trace.onward(secrets.token_hex(8)) if current else {}
