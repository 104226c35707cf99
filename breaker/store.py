"""What a place that keeps circuits can do; ``shared`` keeps them in Redis, ``local`` in memory."""

from typing import NamedTuple, Protocol

from .circuit import Reason, Seed, State
from .classify import Outcome
from .policy import Policy
from .window import Tally


class View(NamedTuple):
    """A circuit as a store answers it; times are milliseconds."""

    known: bool
    """Whether the store had heard of this circuit before the question."""
    state: State
    epoch: int
    remaining: int
    """Until the first trial; 0 unless open."""
    attempt: int
    opened_at: int
    rejected: int
    last_error: str
    tally: Tally
    at: int
    """The store's clock."""
    granted: bool = False
    came_from: State | None = None
    """Set, with ``reason``, in the one answer to the operation that moved the circuit."""
    reason: Reason | None = None


class Report(NamedTuple):
    """The part of a record that only a failure has; ``retry_after`` is milliseconds."""

    retry_after: int = 0
    error: str = ""


NO_REPORT = Report()


class Store(Protocol):
    """Each operation is atomic and answers the circuit after it.

    An ``epoch`` above the circuit's own means that the store lost data: nothing is changed, and
    the asker is expected to ``seed`` and to ask again.
    """

    def load(self, name: str) -> View: ...

    def record(
        self,
        name: str,
        policy: Policy,
        tally: Tally,
        *,
        epoch: int,
        rejected: int = 0,
        report: Report = NO_REPORT,
    ) -> View: ...

    def admit_trial(self, name: str, policy: Policy, *, epoch: int, token: str) -> View: ...

    def renew_trial(self, name: str, *, token: str) -> View: ...

    def record_trial(
        self,
        name: str,
        policy: Policy,
        outcome: Outcome,
        *,
        epoch: int,
        token: str,
        report: Report = NO_REPORT,
    ) -> View: ...

    def seed(self, name: str, policy: Policy, seed: Seed) -> View: ...
