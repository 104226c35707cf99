"""Trial calls of a half-open circuit: who may make one, and what it decides."""

from dataclasses import replace

from .circuit import Circuit, Reason, State, blamed, move, wake
from .classify import Outcome
from .policy import Policy
from .window import ONE

LEASE = 15_000
PATIENCE = 3
"""Permits that may lapse in one round before the circuit opens again."""


def admit_trial(
    circuit: Circuit, policy: Policy, *, now: int, epoch: int, token: str, chance: float = 0.0
) -> Circuit:
    """Lease a permit to ``token`` if the circuit is due for a trial and one is free."""
    if epoch > circuit.epoch:
        return circuit
    if (woken := wake(circuit, now=now)) is not circuit or circuit.override:
        return woken
    if circuit.state is State.OPEN and _is_due(circuit, policy, now=now):
        circuit = move(circuit, Reason.OPEN_TIMEOUT_PASSED, policy, now=now)
    if circuit.state is not State.HALF_OPEN:
        return circuit
    circuit = pruned(circuit, now=now)
    live = len(circuit.leases)
    if not live and circuit.abandoned >= PATIENCE:
        return move(circuit, Reason.TRIALS_ABANDONED, policy, now=now, chance=chance)
    # Asking again is answered alike: the first answer may have been lost on the way.
    if token not in circuit.leases and not _has_room(live, circuit.passed, policy):
        return circuit
    return _leased(circuit, token, now=now)


def _is_due(circuit: Circuit, policy: Policy, *, now: int) -> bool:
    # No wait is longer than the cap: one that seems so means that the clock was set back.
    return now >= circuit.due or circuit.due - now > policy.max_open_ms


def _has_room(live: int, passed: int, policy: Policy) -> bool:
    enough = max(policy.half_open_permits, policy.success_threshold)
    # A threshold lowered meanwhile may have been reached already: one more success then closes.
    return live == 0 or (live < policy.half_open_permits and live + passed < enough)


def pruned(circuit: Circuit, *, now: int) -> Circuit:
    # One that seems to last longer than any was given before the clock was set back.
    live = {
        token: expiry for token, expiry in circuit.leases.items() if now < expiry <= now + LEASE
    }
    lapsed = len(circuit.leases) - len(live)
    if not lapsed:
        return circuit
    return replace(circuit, leases=live, abandoned=circuit.abandoned + lapsed)


def _leased(circuit: Circuit, token: str, *, now: int) -> Circuit:
    return replace(circuit, leases={**circuit.leases, token: now + LEASE})


def renew_trial(circuit: Circuit, *, now: int, token: str) -> Circuit:
    """Keep the permit of a trial that is still under way; a lapsed one stays lost."""
    circuit = pruned(circuit, now=now)
    return _leased(circuit, token, now=now) if token in circuit.leases else circuit


def record_trial(
    circuit: Circuit,
    policy: Policy,
    outcome: Outcome,
    *,
    now: int,
    epoch: int,
    token: str,
    chance: float = 0.0,
    retry_after: int = 0,
    error: str = "",
) -> Circuit:
    """Judge the circuit by a trial that held a permit; without a live one nothing happens."""
    circuit = pruned(circuit, now=now)
    if epoch != circuit.epoch or token not in circuit.leases:
        return circuit
    rest = {other: expiry for other, expiry in circuit.leases.items() if other != token}
    circuit = replace(circuit, leases=rest, totals=circuit.totals + ONE[outcome])
    match outcome:
        case Outcome.NEUTRAL:
            return circuit
        case Outcome.OK:
            return _passed(circuit, policy, now=now)
    circuit = blamed(circuit, now=now, retry_after=retry_after, error=error)
    return move(circuit, Reason.TRIAL_FAILED, policy, now=now, chance=chance)


def _passed(circuit: Circuit, policy: Policy, *, now: int) -> Circuit:
    circuit = replace(circuit, passed=circuit.passed + 1)
    if circuit.passed < policy.success_threshold:
        return circuit
    return move(circuit, Reason.TRIAL_SUCCEEDED, policy, now=now)
