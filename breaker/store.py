"""What a place that keeps circuits can do; ``shared`` keeps them in Redis, ``local`` in memory."""

from typing import NamedTuple, Protocol

from .circuit import Override, State, Verb
from .classify import Outcome
from .policy import Policy
from .seed import Seed
from .window import Tally


class View(NamedTuple):
    """A circuit as a store answers it; times are milliseconds."""

    known: bool
    """Whether the store had heard of this circuit before the question."""
    state: State
    override: Override | None
    override_remaining: int
    """0 if the override has no end."""
    epoch: int
    remaining: int
    """Until the first trial; 0 unless open."""
    attempt: int
    opened_at: int
    rejected: int
    last_error: str
    tally: Tally
    """Within the window."""
    totals: Tally
    """Ever."""
    at: int
    """The store's clock."""
    granted: bool
    moved: bool
    """True in the one answer to the operation that made the last transition."""
    came_from: str
    """This and the rest tell of the last transition, as ``Circuit`` does."""
    reason: str
    actor: str
    since: int
    shared: bool = False
    """Whether all processes see the same."""
    overrules: bool = False
    """Whether the store did not take over what the asker remembered, having moved on itself."""

    @property
    def word(self) -> str:
        return self.override or self.state


class Report(NamedTuple):
    """The part of a record that only a failure has; ``retry_after`` is milliseconds."""

    retry_after: int = 0
    error: str = ""


NO_REPORT = Report()


class Store(Protocol):
    """Each operation is atomic and answers the circuit after it.

    An ``epoch`` above the circuit's own means that the store lost data: nothing is changed, and
    the asker is expected to ``seed`` and to ask again. An operation that finds an override whose
    time is over ends that, and does nothing else.
    """

    def load(self, name: str, policy: Policy) -> View: ...

    def record(
        self,
        name: str,
        policy: Policy,
        tally: Tally,
        *,
        epoch: int,
        host: str = "",
        rejected: int = 0,
        report: Report = NO_REPORT,
    ) -> View: ...

    def admit_trial(self, name: str, policy: Policy, *, epoch: int, token: str) -> View: ...

    def renew_trial(self, name: str, policy: Policy, *, token: str) -> View: ...

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

    def command(
        self,
        name: str,
        policy: Policy,
        verb: Verb,
        *,
        actor: str,
        reason: str,
        lasting: int = 0,
        expected_epoch: int | None = None,
    ) -> View:
        """``moved`` is false if the circuit was not in the expected epoch: nothing was done."""
        ...
