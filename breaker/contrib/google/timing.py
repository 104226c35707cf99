"""How long Google takes, told to whoever measures it.

A closed circuit looks at no clock, because that would double what it costs. These calls take
seconds, and are worth it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from breaker.call import TIMELY, Call
from breaker.classify import Outcome
from breaker.deadline import ends_at

from .signals import call_ended


class Stopwatch:
    """Runs from the start on."""

    def __init__(self) -> None:
        self._spent = 0.0
        self._began = monotonic()

    @property
    def seconds(self) -> float:
        return self._spent + monotonic() - self._began

    @contextmanager
    def resting(self) -> Iterator[None]:
        """What the reader of a stream does between two chunks takes none of Google's time."""
        self._spent = self.seconds
        try:
            yield
        finally:
            self._began = monotonic()


@contextmanager
def timed(call: Call) -> Iterator[Stopwatch]:
    """Within the call that was admitted, whose verdict this tells."""
    watch = Stopwatch()
    outcome = Outcome.OK
    try:
        yield watch
    except BaseException as error:
        outcome = _verdict(call, error)
        raise
    finally:
        if outcome in TIMELY and call.due <= monotonic():
            outcome = Outcome.SLOW
        call_ended.send_robust(
            None, circuit=call.breaker.name, outcome=outcome, seconds=watch.seconds
        )


def _verdict(call: Call, error: BaseException) -> Outcome:
    """As the call finds it when it is left by this."""
    in_time = monotonic() < ends_at()
    return call.breaker.rules.outcome(error) if in_time else Outcome.NEUTRAL
