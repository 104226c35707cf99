"""Calls in flight that must end by a certain time: those that hang are judged before they end.

Only calls of circuits with a slow limit are here, and trials. One that nobody refers to any more
is gone, whatever became of it.
"""

from math import inf
from typing import TYPE_CHECKING
from weakref import ReferenceType, ref

if TYPE_CHECKING:
    from .call import Call

SOONEST, LATEST = 0.1, 1.0
"""Seconds from one look to the next."""

Flight = ReferenceType["Call"]

# Sets change and are copied in one step, whatever other threads do.
_flights: "set[Flight]" = set()


def take_off(call: "Call") -> Flight:
    flight = ref(call, _flights.discard)
    _flights.add(flight)
    return flight


def land(flight: Flight) -> None:
    _flights.discard(flight)


def judge_overdue(now: float) -> float:
    """Judge the calls that should have ended; when to look again."""
    next_due = inf
    for flight in list(_flights):
        call = flight()
        if call and call.due <= now:
            call.expire()
        elif call:
            next_due = min(next_due, call.due)
    return now + min(max(next_due - now, SOONEST), LATEST)


def forget() -> None:
    """In a forked child these are the parent's."""
    _flights.clear()
