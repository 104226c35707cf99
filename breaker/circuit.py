"""The circuit itself: values in, values out.

``lua/circuit.lua`` is this file in Lua, name for name; ``counting``, ``trials`` and ``seed`` are
the scripts beside it; ``tests/breaker/test_contract.py`` and ``test_twins.py`` hold both to one
contract. All times are milliseconds of one clock, given as ``now``; ``chance`` is a number from
0 to 1 that nobody can foretell.

Rules that everything here serves:

- Each transition makes a new epoch, and a result counts only in the epoch that admitted it.
- Epochs never fall behind the clock, so that a store which lost its data does not reuse them
  and of two verdicts the later has the higher one.
- A permit to try a half-open circuit is a lease: whoever dies with it returns it.
- What an operator says goes before what the calls say; it may end by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from .policy import Policy
from .window import NOTHING, Tally, Window


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Override(StrEnum):
    FORCED_OPEN = "forced_open"
    """Refuses every call."""
    DISABLED = "disabled"
    """Admits every call and counts none."""
    METRICS_ONLY = "metrics_only"
    """Admits every call and counts it, and draws no conclusion."""


class Reason(StrEnum):
    THRESHOLD_REACHED = "threshold_reached"
    SLOW_RATE_REACHED = "slow_rate_reached"
    OPEN_TIMEOUT_PASSED = "open_timeout_passed"
    TRIAL_SUCCEEDED = "trial_succeeded"
    TRIAL_FAILED = "trial_failed"
    TRIALS_ABANDONED = "trials_abandoned"
    OVERRIDE_EXPIRED = "override_expired"


TRANSITIONS = {
    (State.CLOSED, Reason.THRESHOLD_REACHED): State.OPEN,
    (State.CLOSED, Reason.SLOW_RATE_REACHED): State.OPEN,
    (State.OPEN, Reason.OPEN_TIMEOUT_PASSED): State.HALF_OPEN,
    (State.HALF_OPEN, Reason.TRIAL_SUCCEEDED): State.CLOSED,
    (State.HALF_OPEN, Reason.TRIAL_FAILED): State.OPEN,
    (State.HALF_OPEN, Reason.TRIALS_ABANDONED): State.OPEN,
}


class Verb(StrEnum):
    """What an operator may say."""

    OPEN = "open"
    CLOSE = "close"
    DISABLE = "disable"
    METRICS_ONLY = "metrics-only"
    AUTO = "auto"
    """Ends an override; the circuit goes on where it was."""
    RESET = "reset"
    """Closes, and forgets the past."""


OVERRIDES = {
    Verb.OPEN: Override.FORCED_OPEN,
    Verb.DISABLE: Override.DISABLED,
    Verb.METRICS_ONLY: Override.METRICS_ONLY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    state: State = State.CLOSED
    override: Override | None = None
    override_until: int = 0
    """0 is for as long as nobody ends it."""
    epoch: int = 0
    came_from: str = ""
    """What the circuit was before the last transition: a state or an override; '' if none."""
    reason: str = ""
    """Of the last transition: a ``Reason``, or an operator's own words."""
    actor: str = ""
    """The operator who made the last transition."""
    since: int = 0
    """The last transition; 0 if there was none."""
    due: int = 0
    """While open: when the first trial may begin."""
    attempt: int = 0
    """Openings in a row, without a healthy window between them."""
    opened_at: int = 0
    """The start of this outage; 0 while closed."""
    retry_at: int = 0
    """The dependency asked not to be called before this."""
    passed: int = 0
    """Successful trials of this half-open round."""
    abandoned: int = 0
    """Trials of this round whose permit lapsed."""
    rejected: int = 0
    totals: Tally = NOTHING
    """All calls ever counted."""
    last_error: str = ""
    window: Window = field(default_factory=Window)
    leases: Mapping[str, int] = field(default_factory=dict)
    """Expiry of each permit that is out, by token."""
    accusers: Mapping[str, int] = field(default_factory=dict)
    """When each host last met a failure."""

    @property
    def word(self) -> str:
        """What the circuit is to a caller: its override, or else its state."""
        return self.override or self.state


def move(
    circuit: Circuit, reason: Reason, policy: Policy, *, now: int, chance: float = 0.0
) -> Circuit:
    """The only way from state to state, but for an operator's."""
    moved = _turned(circuit, TRANSITIONS[circuit.state, reason], reason=reason, now=now)
    match moved.state:
        case State.OPEN:
            return _opened(moved, circuit, policy, now=now, chance=chance)
        case State.CLOSED:
            return _closed(moved)
    return moved


def command(
    circuit: Circuit, verb: Verb, *, now: int, actor: str, reason: str, lasting: int = 0
) -> Circuit:
    """Do as an operator says; an override lasts ``lasting`` milliseconds, or, if 0, on."""
    match verb:
        case Verb.AUTO:
            return _turned(circuit, circuit.state, reason=reason, actor=actor, now=now)
        case Verb.CLOSE:
            return _closed(_turned(circuit, State.CLOSED, reason=reason, actor=actor, now=now))
        case Verb.RESET:
            turned = _turned(circuit, State.CLOSED, reason=reason, actor=actor, now=now)
            return replace(_closed(turned), attempt=0, rejected=0, totals=NOTHING, last_error="")
    turned = _turned(circuit, circuit.state, reason=reason, actor=actor, now=now)
    until = now + lasting if lasting else 0
    return replace(turned, override=OVERRIDES[verb], override_until=until)


def wake(circuit: Circuit, *, now: int) -> Circuit:
    """End an override whose time is over; whatever comes at that moment is of an older epoch."""
    if not circuit.override_until:
        return circuit
    if now < circuit.since:
        # The clock was set back: what was left of the override begins anew.
        return replace(
            circuit, override_until=now + circuit.override_until - circuit.since, since=now
        )
    if now < circuit.override_until:
        return circuit
    return _turned(circuit, circuit.state, reason=Reason.OVERRIDE_EXPIRED, now=now)


def _turned(circuit: Circuit, state: State, *, reason: str, actor: str = "", now: int) -> Circuit:
    return replace(
        circuit,
        state=state,
        override=None,
        override_until=0,
        epoch=max(circuit.epoch + 1, now),
        came_from=circuit.word,
        reason=reason,
        actor=actor,
        since=now,
        passed=0,
        abandoned=0,
        leases={},
        accusers={},
    )


def _opened(moved: Circuit, before: Circuit, policy: Policy, *, now: int, chance: float) -> Circuit:
    healthy = before.state is State.CLOSED and now - before.since >= policy.window_ms
    attempt = 1 if healthy else before.attempt + 1
    # Thirty doublings pass any cap; beyond that the power only overflows.
    wait = policy.open_ms * policy.backoff_factor ** min(attempt - 1, 30)
    wait *= 1 + policy.jitter_share * chance
    wait = min(max(wait, before.retry_at - now), policy.max_open_ms)
    return replace(moved, attempt=attempt, due=now + int(wait), opened_at=before.opened_at or now)


def _closed(moved: Circuit) -> Circuit:
    return replace(moved, due=0, opened_at=0, retry_at=0, window=Window())


def remaining(circuit: Circuit, *, now: int) -> int:
    """Until the first trial; a clock that was set back adds nothing to the wait."""
    if circuit.state is not State.OPEN:
        return 0
    return max(min(circuit.due - now, circuit.due - circuit.since), 0)


def override_remaining(circuit: Circuit, *, now: int) -> int:
    """0 if the override has no end."""
    return max(circuit.override_until - now, 1) if circuit.override_until else 0


def blamed(circuit: Circuit, *, now: int, retry_after: int, error: str) -> Circuit:
    return replace(circuit, retry_at=max(circuit.retry_at, now + retry_after), last_error=error)
