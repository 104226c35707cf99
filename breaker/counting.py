"""Counting the calls of a circuit, and opening it when enough of them went wrong."""

from dataclasses import replace

from .circuit import Circuit, Override, Reason, State, blamed, move, wake
from .policy import Policy
from .window import BUCKETS, Tally


def record(
    circuit: Circuit,
    policy: Policy,
    tally: Tally,
    *,
    now: int,
    epoch: int,
    chance: float = 0.0,
    host: str = "",
    rejected: int = 0,
    retry_after: int = 0,
    error: str = "",
) -> Circuit:
    """Count calls that ended in ``epoch``, and open the circuit if that was one too many."""
    if epoch > circuit.epoch:
        return circuit
    circuit = replace(circuit, rejected=circuit.rejected + rejected)
    if (woken := wake(circuit, now=now)) is not circuit:
        return woken
    if epoch != circuit.epoch or not tally.calls or not _counts(circuit):
        return circuit
    circuit = _counted(circuit, policy, tally, now=now)
    if tally.failures or tally.slow:
        circuit = _accused(circuit, policy, host, now=now)
    if tally.failures:
        circuit = blamed(circuit, now=now, retry_after=retry_after, error=error)
    reason = tripped(circuit.window.total(now=now), policy)
    if reason is None or circuit.override or len(circuit.accusers) < policy.trip_quorum:
        return circuit
    return move(circuit, reason, policy, now=now, chance=chance)


def _counts(circuit: Circuit) -> bool:
    if circuit.override is None:
        return circuit.state is State.CLOSED
    return circuit.override is Override.METRICS_ONLY


def _counted(circuit: Circuit, policy: Policy, tally: Tally, *, now: int) -> Circuit:
    window = circuit.window.of_width(max(policy.window_ms // BUCKETS, 1), now=now)
    return replace(circuit, window=window.add(tally, now=now), totals=circuit.totals + tally)


def _accused(circuit: Circuit, policy: Policy, host: str, *, now: int) -> Circuit:
    recent = {
        accuser: at for accuser, at in circuit.accusers.items() if at > now - policy.window_ms
    }
    return replace(circuit, accusers={**recent, host: now})


def tripped(total: Tally, policy: Policy) -> Reason | None:
    """Why the circuit must open, if it must."""
    if total.calls < policy.minimum_calls:
        return None
    if _too_many_failed(total, policy):
        return Reason.THRESHOLD_REACHED
    if total.slow >= policy.failure_threshold and total.slow >= policy.slow_rate * total.calls:
        return Reason.SLOW_RATE_REACHED
    return None


def _too_many_failed(total: Tally, policy: Policy) -> bool:
    if policy.consecutive:
        return total.streak >= policy.failure_threshold
    return (
        total.failures >= policy.failure_threshold
        and total.failures >= (policy.failure_rate or 0) * total.calls
    )
