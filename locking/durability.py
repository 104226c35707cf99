"""How far a grant must have come before it counts.

WAIT and WAITAOF make it less likely that a failover or a crash forgets a grant. They cannot rule it
out: a replica that has not heard of the grant may be the one that is promoted.
"""

from enum import StrEnum
from typing import Any, NamedTuple

from .errors import LockInvalid

# Seconds. A file that is synchronised every second, as is usual, may take more than one.
WITHIN = 2.0


class Durability(StrEnum):
    REPLICA = "replica"
    AOF = "aof"


def chosen(text: str | None) -> Durability | None:
    try:
        return None if text is None else Durability(text)
    except ValueError:
        raise LockInvalid(f"durability must be 'replica', 'aof' or None, not {text!r}.") from None


class Confirm(NamedTuple):
    """A command that is answered when what was written before it has come so far, or in time."""

    words: tuple[str | int, ...]
    seconds: float


def confirmation(durability: Durability, seconds: float) -> Confirm:
    """``seconds`` are left for the whole call, so the answer must be on its way before."""
    patience = min(WITHIN, seconds * 0.8)
    ms = max(1, round(patience * 1000))
    match durability:
        case Durability.REPLICA:
            return Confirm(("WAIT", 1, ms), patience)
        case Durability.AOF:
            return Confirm(("WAITAOF", 1, 0, ms), patience)


def met(answer: Any) -> bool:
    """Whether one replica, or this server's own file, has the write. An error is no answer."""
    match answer:
        case int(replicas) | [int(replicas), *_]:
            return replicas >= 1
    return False
