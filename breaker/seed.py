"""What is remembered of a circuit, and how it comes back from that: values in, values out."""

from dataclasses import dataclass

from .circuit import Circuit, Override, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """What a process or the database remembers of a circuit that a store may have lost."""

    state: State
    epoch: int
    base: int | None = None
    """The last epoch that the fleet shared, of a process that went on alone; else None."""
    remaining: int = 0
    """Milliseconds until the first trial."""
    override: Override | None = None
    override_remaining: int = 0
    """Milliseconds until the override ends; 0 if it does not."""
    attempt: int = 0
    opened_at: int = 0
    last_error: str = ""
    reason: str = ""
    """Of the last transition, as is ``actor``."""
    actor: str = ""


def sow(circuit: Circuit, seed: Seed, *, now: int) -> Circuit:
    """The circuit as remembered, unless the fleet has moved on since.

    What a process did alone is no match for what the others, or an operator, did meanwhile.
    """
    base = seed.epoch if seed.base is None else seed.base
    if seed.epoch <= circuit.epoch or base < circuit.epoch:
        return circuit
    # The permits of a half-open round are lost with the store: the next trial opens a new one.
    state = State.CLOSED if seed.state is State.CLOSED else State.OPEN
    return Circuit(
        state=state,
        override=seed.override,
        override_until=now + seed.override_remaining if seed.override_remaining else 0,
        epoch=seed.epoch,
        since=now,
        due=now + seed.remaining if state is State.OPEN else 0,
        attempt=seed.attempt,
        opened_at=seed.opened_at,
        rejected=circuit.rejected,
        totals=circuit.totals,
        last_error=seed.last_error,
        reason=seed.reason,
        actor=seed.actor,
    )
