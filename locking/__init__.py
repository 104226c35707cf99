"""Leases on names, shared by all processes, with fences that stop a stale holder from writing."""

from typing import TYPE_CHECKING, Any

from .decorator import locked
from .errors import (
    LockBusy,
    LockDeadlock,
    LockError,
    LockExpired,
    LockInAtomic,
    LockInvalid,
    LockKeyMisused,
    LockLost,
    LockNotDurable,
    LockQuarantined,
    LockQueueFull,
    LockRevoked,
    LockUnavailable,
    StaleFence,
)
from .leases import Lease
from .locks import Lock, lock
from .quorum import quorum_lock
from .shared import RWLock, rw_lock, semaphore
from .together import Leases, LockAll, lock_all

if TYPE_CHECKING:
    from .fencing import locked_atomic
    from .models import FencedModel

__all__ = [
    "FencedModel",
    "Lease",
    "Leases",
    "Lock",
    "LockAll",
    "LockBusy",
    "LockDeadlock",
    "LockError",
    "LockExpired",
    "LockInAtomic",
    "LockInvalid",
    "LockKeyMisused",
    "LockLost",
    "LockNotDurable",
    "LockQuarantined",
    "LockQueueFull",
    "LockRevoked",
    "LockUnavailable",
    "RWLock",
    "StaleFence",
    "lock",
    "lock_all",
    "locked",
    "locked_atomic",
    "quorum_lock",
    "rw_lock",
    "semaphore",
]


def __getattr__(name: str) -> Any:
    """Models wait for Django's app registry, which imports this package first."""
    match name:
        case "FencedModel":
            from .models import FencedModel

            return FencedModel
        case "locked_atomic":
            from .fencing import locked_atomic

            return locked_atomic
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
