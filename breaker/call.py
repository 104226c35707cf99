"""One admitted call: the two beats under every decorator, admission and then a verdict."""

from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .classify import Outcome
from .deadline import ends_at
from .offload import offload, submit

if TYPE_CHECKING:
    from .breaker import Breaker
    from .snapshot import Snapshot


class Call:
    """Ends with the first verdict it gets: ``ok``, ``fail`` or ``neutral``.

    As a context manager it judges by itself what the body did not: no exception is ok. A call
    that is dropped without a verdict says nothing, and gives its permit back within a lease.
    """

    __slots__ = (
        "__weakref__", "_deferred", "_end", "_outcome", "admitted_at", "breaker", "snapshot",
        "token",
    )  # fmt: skip

    def __init__(self, breaker: "Breaker", snapshot: "Snapshot", token: str = "") -> None:
        self.breaker = breaker
        self.snapshot = snapshot
        self.token = token
        """Of the permit, if the call is a trial."""
        self.admitted_at = monotonic()
        self._outcome: Outcome | None = None
        self._end: object = None
        self._deferred = False

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
    def age(self) -> float:
        """Seconds since admission."""
        return monotonic() - self.admitted_at

    def expire(self) -> None:
        """Give up a call that takes too long, from another thread: it has failed already."""
        if self._outcome is None:
            self._outcome, self._end = Outcome.FAILURE, TimeoutError("The trial took too long.")
            self.breaker.settle(self, self._outcome, self._end)

    def _decide(self, outcome: Outcome, end: object) -> None:
        if self._outcome is None:
            self._outcome, self._end = outcome, end
            if not self._deferred:
                self._settle()

    def _settle(self) -> None:
        if self._outcome is not None:
            self.breaker.settle(self, self._outcome, self._end)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.ok()
        elif ends_at() <= monotonic():
            self.neutral()  # the caller ran out of time, which is no fault of the dependency
        else:
            self.judge(error)

    async def __aenter__(self) -> Self:
        # The body runs on the loop, so its verdict waits for the exit to make the trip.
        self._deferred = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)
        match self._outcome:
            case Outcome.OK if not self.token:
                self._settle()
            case Outcome.NEUTRAL:
                # Also the way of a cancelled task and a closed generator, which must not wait.
                if self.token:
                    submit(self._settle)
            case _:
                await offload(self._settle)
