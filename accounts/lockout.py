"""When somebody who guesses has to wait, and for how long. Values in, values out.

A try is *reserved* before the password is hashed and *settled* afterwards, so that of many parallel
guesses no more are looked at than the limit allows: those under way count like those that failed.
``attempts`` carries this out in single SQL statements; ``admit``, ``fail`` and ``fold`` are what
these statements do.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum


class Verdict(StrEnum):
    """Why a try is refused."""

    LOCKED = "locked"
    BUSY = "busy"
    """As many tries are under way as may fail."""
    DUE = "due"
    """So many tries died under way that the lock has to fall now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    tries: int
    first: timedelta
    """How long the first lock lasts; each further one lasts twice as long, up to ``longest``."""
    longest: timedelta
    quiet: timedelta
    """After so long without a try all is forgotten."""
    patience: timedelta
    """A try that is not settled after this has failed: its process died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    touched_at: datetime
    """The last try."""
    failed: int = 0
    pending: int = 0
    level: int = 0
    """Locks in a row."""
    generation: int = 0
    """Moves on when tries under way are written off: how these end changes nothing any more."""
    locked_until: datetime | None = None
    hard: bool = False
    """Locked by an operator, until an operator unlocks it."""


def ladder(policy: Policy) -> list[timedelta]:
    """How long the lock of each level lasts, beginning with the first; the last one repeats."""
    steps = [policy.first]
    while steps[-1] < policy.longest:
        steps.append(steps[-1] * 2)
    return [min(step, policy.longest) for step in steps]


def lasting(policy: Policy, level: int) -> timedelta:
    steps = ladder(policy)
    return steps[min(level, len(steps)) - 1]


def is_locked(state: State, now: datetime) -> bool:
    return state.hard or (state.locked_until is not None and state.locked_until > now)


def wake(state: State, policy: Policy, now: datetime) -> State:
    """A state that is not locked, with what time has done to it."""
    quiet_since = state.locked_until or state.touched_at
    if quiet_since <= now - policy.quiet:
        return State(touched_at=state.touched_at, generation=state.generation + 1)
    if state.locked_until is not None:
        return replace(
            state, failed=0, pending=0, locked_until=None, generation=state.generation + 1
        )
    if state.touched_at <= now - policy.patience:
        failed = state.failed + state.pending
        return replace(state, failed=failed, pending=0, generation=state.generation + 1)
    return state


def admit(state: State, policy: Policy, now: datetime) -> State | Verdict:
    """The state with one more try under way."""
    if is_locked(state, now):
        return Verdict.LOCKED
    woken = wake(state, policy, now)
    if woken.failed >= policy.tries:
        return Verdict.DUE
    if woken.failed + woken.pending >= policy.tries:
        return Verdict.BUSY
    return replace(woken, pending=woken.pending + 1, touched_at=now)


def fail(state: State, policy: Policy, now: datetime) -> State:
    """A try of this generation was wrong."""
    after = replace(state, failed=state.failed + 1, pending=state.pending - 1, touched_at=now)
    return _locked_if_full(after, policy, now)


def fold(state: State, policy: Policy, now: datetime) -> State:
    """Lock where ``admit`` says that it is due."""
    return _locked_if_full(wake(state, policy, now), policy, now)


def _locked_if_full(state: State, policy: Policy, now: datetime) -> State:
    if state.failed < policy.tries:
        return state
    return replace(
        state,
        level=state.level + 1,
        generation=state.generation + 1,
        locked_until=now + lasting(policy, state.level + 1),
    )
