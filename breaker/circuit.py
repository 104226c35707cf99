"""The circuit itself: values in, values out.

``lua/circuit.lua`` is this file in Lua, name for name; ``tests/breaker/test_contract.py`` holds
both to one contract. All times are milliseconds of one clock, given as ``now``.

Rules that everything here serves:

- Each transition makes a new epoch, and a result counts only in the epoch that admitted it.
- Epochs never fall behind the clock, so that a store which lost its data does not reuse them
  and of two verdicts the later has the higher one.
- A permit to try a half-open circuit is a lease: whoever dies with it returns it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from .classify import Outcome
from .policy import Policy
from .window import BUCKETS, Tally, Window

LEASE = 15_000


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Reason(StrEnum):
    THRESHOLD_REACHED = "threshold_reached"
    OPEN_TIMEOUT_PASSED = "open_timeout_passed"
    TRIAL_SUCCEEDED = "trial_succeeded"
    TRIAL_FAILED = "trial_failed"


TRANSITIONS = {
    (State.CLOSED, Reason.THRESHOLD_REACHED): State.OPEN,
    (State.OPEN, Reason.OPEN_TIMEOUT_PASSED): State.HALF_OPEN,
    (State.HALF_OPEN, Reason.TRIAL_SUCCEEDED): State.CLOSED,
    (State.HALF_OPEN, Reason.TRIAL_FAILED): State.OPEN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    state: State = State.CLOSED
    epoch: int = 0
    reason: Reason | None = None
    """Of the last transition; None if there was none here."""
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
    rejected: int = 0
    last_error: str = ""
    window: Window = field(default_factory=Window)
    leases: Mapping[str, int] = field(default_factory=dict)
    """Expiry of each permit that is out, by token."""


def move(circuit: Circuit, reason: Reason, policy: Policy, *, now: int) -> Circuit:
    moved = replace(
        circuit,
        state=TRANSITIONS[circuit.state, reason],
        epoch=max(circuit.epoch + 1, now),
        reason=reason,
        since=now,
        passed=0,
        leases={},
    )
    match moved.state:
        case State.OPEN:
            return _opened(moved, circuit, policy, now=now)
        case State.CLOSED:
            return replace(moved, due=0, opened_at=0, retry_at=0, window=Window())
    return moved


def remaining(circuit: Circuit, *, now: int) -> int:
    """Until the first trial; a clock that was set back adds nothing to the wait."""
    if circuit.state is not State.OPEN:
        return 0
    return min(max(circuit.due - now, 0), circuit.due - circuit.since)


def _opened(moved: Circuit, before: Circuit, policy: Policy, *, now: int) -> Circuit:
    healthy = before.state is State.CLOSED and now - before.since >= policy.window_ms
    attempt = 1 if healthy else before.attempt + 1
    # Thirty doublings pass any cap; beyond that the power only overflows.
    wait = policy.open_ms * policy.backoff_factor ** min(attempt - 1, 30)
    wait = min(max(wait, before.retry_at - now), policy.max_open_ms)
    return replace(moved, attempt=attempt, due=now + int(wait), opened_at=before.opened_at or now)


def record(
    circuit: Circuit,
    policy: Policy,
    tally: Tally,
    *,
    now: int,
    epoch: int,
    rejected: int = 0,
    retry_after: int = 0,
    error: str = "",
) -> Circuit:
    """Count calls that ended in ``epoch``, and open the circuit if that was one too many."""
    if epoch > circuit.epoch:
        return circuit
    circuit = replace(circuit, rejected=circuit.rejected + rejected)
    if epoch != circuit.epoch or circuit.state is not State.CLOSED or not tally.calls:
        return circuit
    circuit = _counted(circuit, policy, tally, now=now)
    if tally.failures:
        circuit = _blamed(circuit, now=now, retry_after=retry_after, error=error)
    if tripped(circuit.window.total(now=now), policy):
        return move(circuit, Reason.THRESHOLD_REACHED, policy, now=now)
    return circuit


def _counted(circuit: Circuit, policy: Policy, tally: Tally, *, now: int) -> Circuit:
    window = circuit.window.of_width(max(policy.window_ms // BUCKETS, 1))
    return replace(circuit, window=window.add(tally, now=now))


def _blamed(circuit: Circuit, *, now: int, retry_after: int, error: str) -> Circuit:
    return replace(circuit, retry_at=max(circuit.retry_at, now + retry_after), last_error=error)


def tripped(total: Tally, policy: Policy) -> bool:
    return (
        total.failures >= policy.failure_threshold
        and total.calls >= policy.minimum_calls
        and total.failures >= (policy.failure_rate or 0) * total.calls
    )


def admit_trial(circuit: Circuit, policy: Policy, *, now: int, epoch: int, token: str) -> Circuit:
    """Lease a permit to ``token`` if the circuit is due for a trial and one is free."""
    if epoch > circuit.epoch:
        return circuit
    if circuit.state is State.OPEN and _is_due(circuit, policy, now=now):
        circuit = move(circuit, Reason.OPEN_TIMEOUT_PASSED, policy, now=now)
    if circuit.state is not State.HALF_OPEN:
        return circuit
    leases = _live(circuit, now=now)
    # Asking again is answered alike: the first answer may have been lost on the way.
    if token not in leases and not _has_room(len(leases), circuit.passed, policy):
        return replace(circuit, leases=leases)
    return replace(circuit, leases={**leases, token: now + LEASE})


def _is_due(circuit: Circuit, policy: Policy, *, now: int) -> bool:
    # No wait is longer than the cap: one that seems so means that the clock was set back.
    return now >= circuit.due or circuit.due - now > policy.max_open_ms


def _has_room(live: int, passed: int, policy: Policy) -> bool:
    enough = max(policy.half_open_permits, policy.success_threshold)
    # A threshold lowered meanwhile may have been reached already: one more success then closes.
    return live == 0 or (live < policy.half_open_permits and live + passed < enough)


def _live(circuit: Circuit, *, now: int) -> dict[str, int]:
    return {token: expiry for token, expiry in circuit.leases.items() if expiry > now}


def renew_trial(circuit: Circuit, *, now: int, token: str) -> Circuit:
    """Keep the permit of a trial that is still under way; a lapsed one stays lost."""
    leases = _live(circuit, now=now)
    if token not in leases:
        return circuit
    return replace(circuit, leases={**leases, token: now + LEASE})


def record_trial(
    circuit: Circuit,
    policy: Policy,
    outcome: Outcome,
    *,
    now: int,
    epoch: int,
    token: str,
    retry_after: int = 0,
    error: str = "",
) -> Circuit:
    """Judge the circuit by a trial that held a permit; without a live one nothing happens."""
    leases = _live(circuit, now=now)
    if epoch != circuit.epoch or leases.pop(token, None) is None:
        return circuit
    circuit = replace(circuit, leases=leases)
    match outcome:
        case Outcome.NEUTRAL:
            return circuit
        case Outcome.OK:
            return _passed(circuit, policy, now=now)
    circuit = _blamed(circuit, now=now, retry_after=retry_after, error=error)
    return move(circuit, Reason.TRIAL_FAILED, policy, now=now)


def _passed(circuit: Circuit, policy: Policy, *, now: int) -> Circuit:
    circuit = replace(circuit, passed=circuit.passed + 1)
    if circuit.passed < policy.success_threshold:
        return circuit
    return move(circuit, Reason.TRIAL_SUCCEEDED, policy, now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """What a process or the database remembers of a circuit that a store may have lost."""

    state: State
    epoch: int
    remaining: int = 0
    """Milliseconds until the first trial."""
    attempt: int = 0
    opened_at: int = 0
    last_error: str = ""


def sow(circuit: Circuit, seed: Seed, *, now: int) -> Circuit:
    """The circuit as remembered, unless it has moved on since."""
    if seed.epoch <= circuit.epoch:
        return circuit
    # The permits of a half-open round are lost with the store: the next trial opens a new one.
    state = State.CLOSED if seed.state is State.CLOSED else State.OPEN
    return Circuit(
        state=state,
        epoch=seed.epoch,
        since=now,
        due=now + seed.remaining if state is State.OPEN else 0,
        attempt=seed.attempt,
        opened_at=seed.opened_at,
        rejected=circuit.rejected,
        last_error=seed.last_error,
    )
