"""A circuit as operators see it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from .change import moment
from .circuit import Override, Reason, State
from .store import View
from .window import Tally

Source = Literal["shared", "local"]
WORDS = [*(state.value for state in State), *(one.value for one in Override)]


class Said(Protocol):
    """A circuit, or a transition."""

    @property
    def reason(self) -> str: ...
    @property
    def actor(self) -> str: ...


def said(one: Said) -> str:
    """Why, and by whom if the circuit did not move by itself."""
    return f"{one.reason} ({one.actor})" if one.actor else one.reason


def machine_word(one: Said) -> str:
    """Why, if the circuit moved by itself; what operators say is theirs."""
    return one.reason if one.reason in tuple(Reason) else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class CircuitStatus:
    name: str
    state: State
    override: Override | None
    override_ends_in: float | None
    """Seconds; None if there is no override, or none that ends by itself."""
    epoch: int
    calls: int
    """Within the window, as are ``failures``, ``slow`` and the rates."""
    failures: int
    slow: int
    totals: Tally
    """All calls counted since the circuit was first heard of or reset, as is ``rejected``."""
    rejected: int
    retry_after: float
    """Seconds until the first trial; 0 unless open."""
    attempt: int
    """Openings in a row."""
    opened_at: datetime | None
    open_until: datetime | None
    """When the first trial may begin; None unless open."""
    changed_at: datetime | None
    """The last transition, whose ``reason`` and ``actor`` follow."""
    reason: str
    actor: str
    last_error: str
    source: Source

    @property
    def word(self) -> str:
        """What the circuit is to a caller: its override, or else its state."""
        return self.override or self.state

    @property
    def failure_rate(self) -> float:
        return self.failures / self.calls if self.calls else 0.0

    @property
    def slow_rate(self) -> float:
        return self.slow / self.calls if self.calls else 0.0


def status(name: str, view: View, source: Source) -> CircuitStatus:
    lasts = view.override_remaining
    return CircuitStatus(
        name=name,
        state=view.state,
        override=view.override,
        override_ends_in=lasts / 1000 if lasts else None,
        epoch=view.epoch,
        calls=view.tally.calls,
        failures=view.tally.failures,
        slow=view.tally.slow,
        totals=view.totals,
        rejected=view.rejected,
        retry_after=view.remaining / 1000,
        attempt=view.attempt,
        opened_at=moment(view.opened_at),
        open_until=moment(view.at + view.remaining if view.state is State.OPEN else 0),
        changed_at=moment(view.since),
        reason=view.reason,
        actor=view.actor,
        last_error=view.last_error,
        source=source,
    )
