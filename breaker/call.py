"""One admitted call: the two beats under every decorator, admission and then a verdict."""

from contextvars import ContextVar
from functools import partial
from itertools import repeat
from math import inf
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Self

from . import flights
from .classify import Outcome
from .deadline import ends_at
from .offload import offload, submit

if TYPE_CHECKING:
    from .breaker import Breaker
    from .snapshot import Snapshot

TIMELY = (Outcome.OK, Outcome.NEUTRAL)

_trials: ContextVar[frozenset[str]] = ContextVar("trials", default=frozenset())
"""Tokens of the trials that the code which runs now is inside of.

Tasks and threads see those of their starter, as they do deadlines. A trial may end before them:
its token then means nothing any more.
"""


def trials() -> frozenset[str]:
    return _trials.get()


class TrialTooLong(TimeoutError):
    """Never raised: what is told of a trial that nobody waits for any longer."""


class Call:
    """Ends with the first verdict it gets: ``ok``, ``fail`` or ``neutral``.

    As a context manager it judges by itself what the body did not: no exception is ok. A call
    that is dropped without a verdict says nothing, and gives its permit back within a lease.
    What takes longer than the circuit allows is slow, however it ends, unless it fails first.
    """

    __slots__ = (
        "__weakref__", "_claim", "_deferred", "_expires_at", "_flight", "_patience", "_pending",
        "_prolonged", "breaker", "due", "snapshot", "token",
    )  # fmt: skip

    def __init__(
        self, breaker: "Breaker", snapshot: "Snapshot", token: str = "", *, longest: float = inf
    ) -> None:
        """``longest``: seconds for all of it; the circuit's slow limit is for each wait."""
        self.breaker = breaker
        self.snapshot = snapshot
        self.token = token
        """Of the permit, if the call is a trial."""
        self.due = inf
        """When it becomes overdue, in monotonic seconds; never while it rests."""
        self._patience = self._expires_at = inf
        self._claim = repeat(True, 1)
        self._deferred = False
        self._flight: flights.Flight | None = None
        self._pending: tuple[Outcome, object] | None = None
        self._prolonged = False
        if token or snapshot.slow_after:
            self._set_out(longest)

    def ok(self) -> None:
        self._decide(Outcome.OK, None)

    def fail(self, error: BaseException | None = None) -> None:
        self._decide(Outcome.FAILURE, error)

    def neutral(self) -> None:
        self._decide(Outcome.NEUTRAL, None)

    def judge(self, end: object) -> None:
        """Let the circuit's own rules decide on a result or an exception."""
        self._decide(self.breaker.rules.outcome(end), end)

    @property
    def watched(self) -> bool:
        """Whether it matters how long it takes."""
        return self._flight is not None

    def rest(self) -> None:
        """The dependency is not waited for; what has taken too long by now is overdue for good."""
        self._leave()
        if self.watched and monotonic() < self.due:
            self.due = self._expires_at

    def resume(self) -> None:
        if self.watched and self.due == self._expires_at:
            self.due = min(monotonic() + self._patience, self._expires_at)
        self._go_in()

    def prolong(self) -> None:
        """The end of the present body is not the call's; that of a later one will be."""
        self._prolonged = True

    def expire(self) -> None:
        """Judge a call that takes too long, from the agent's thread."""
        if not self._claimed():
            return
        outcome, end = self._late()
        if self.token:
            self.breaker.settle(self, outcome, end)
        else:
            # Many may hang at one time: the agent writes them together.
            self.breaker.replica.note(self.snapshot, outcome)

    def _set_out(self, longest: float) -> None:
        now = monotonic()
        self._patience = self.snapshot.slow_after or inf
        self._expires_at = now + longest
        self.due = min(now + self._patience, self._expires_at)
        self._flight = flights.take_off(self)

    def _go_in(self) -> None:
        if self.token:
            _trials.set(_trials.get() | {self.token})

    def _leave(self) -> None:
        if self.token:
            _trials.set(_trials.get() - {self.token})

    def _claimed(self) -> bool:
        """Whether this is the first verdict; of two threads one is told so."""
        if not next(self._claim, False):
            return False
        if self._flight:
            flights.land(self._flight)
        return True

    def _decide(self, outcome: Outcome, end: object) -> None:
        if not self._claimed():
            return
        if outcome in TIMELY and self._is_overdue():
            outcome, end = self._late()
        if self._deferred:
            self._pending = outcome, end
        else:
            self.breaker.settle(self, outcome, end)

    def _is_overdue(self) -> bool:
        return self.watched and self.due <= monotonic()

    def _late(self) -> tuple[Outcome, object]:
        """A trial's is an error to be told, because it opens the circuit by itself."""
        outcome = Outcome.SLOW if self._patience < inf else Outcome.FAILURE
        return outcome, TrialTooLong("The trial took too long.") if self.token else None

    def __enter__(self) -> Self:
        self._prolonged = self._deferred = False
        self._go_in()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave()
        if error is None:
            if not self._prolonged:
                self.ok()
        elif ends_at() <= monotonic():
            self.neutral()  # the caller ran out of time, which is no fault of the dependency
        else:
            self.judge(error)

    async def __aenter__(self) -> Self:
        # The body runs on the loop, so its verdict waits for the exit to make the trip.
        self._prolonged, self._deferred = False, True
        self._go_in()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)
        verdict, self._pending = self._pending, None
        if verdict is None:
            return
        outcome, end = verdict
        settle = partial(self.breaker.settle, self, outcome, end)
        if outcome in TIMELY and not self.token:
            settle()
        elif error is None or isinstance(error, Exception):
            await offload(settle)
        else:
            submit(settle)  # a cancelled task and a closed generator must not wait
