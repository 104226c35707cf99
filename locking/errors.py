"""What can go wrong with a lock.

LockError
├── LockInvalid      the caller asked for something that cannot be (also ValueError)
├── LockInAtomic     asked for inside a transaction, which would end after it
├── LockPrivate      asked for over HTTP, and kept for the program itself
├── LockBusy         held by another for longer than the caller would wait (also TimeoutError)
├── LockQueueFull    as many wait for it as may (store-side limit)
├── LockDeadlock     to wait on would be to wait for oneself: this waiter gave way
├── LockLost         the lease ended before the work did
│   ├── LockExpired      its time ran out
│   ├── LockRevoked      it was taken away before its time
│   └── NotHeld          the token does not hold it, or not any more
├── LockUnavailable  the store does not answer, or refuses: nothing is known about the lock
│   ├── LockKeyMisused   a key of the lock holds what is no lock: something else writes there
│   ├── LockQuarantined  the store lost its data: nothing is granted until old leases have ended
│   └── LockNotDurable   granted, but not copied as far as was asked for, and so given up
└── StaleFence       the database has seen a newer holder
    └── HolderChanged    whom an operator meant to stop does not hold the lock any more
"""

from collections.abc import Sequence

from .holders import Holder
from .refusals import REASONS


class LockError(Exception):
    status = 500
    code = "lock_error"
    retry_after: float | None = None
    message = "Lock “{name}” failed."

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return self.message.format(name=self.name)


class LockInvalid(LockError, ValueError):
    status = 400
    code = "lock_invalid"

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.args = (reason,)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class LockInAtomic(LockError):
    """``using`` is the alias of the database on which the transaction is open."""

    message = (
        "Lock “{name}” is asked for inside atomic(): it would be free before the COMMIT. "
        "Use locked_atomic(), or in_atomic=True to release it after the COMMIT yourself."
    )

    def __init__(self, name: str = "", *, using: str = "default") -> None:
        super().__init__(name)
        self.using = using


class LockPrivate(LockError):
    status = 403
    code = "permission_denied"
    message = "Lock “{name}” is the program's own."


class LockBusy(LockError, TimeoutError):
    """``retry_after`` is when the lease ends at the latest, unless its holder extends it."""

    status = 409
    code = "lock_busy"
    message = "Lock “{name}” is held by another."

    def __init__(
        self, name: str = "", *, holder: Holder | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(name)
        self.holder = holder
        self.retry_after = retry_after


class LockQueueFull(LockError):
    status = 503
    code = "lock_queue_full"
    retry_after = 1.0
    message = "Too many wait for lock “{name}” already."

    def __init__(self, name: str = "", *, limit: int = 0) -> None:
        super().__init__(name)
        self.limit = limit


class LockDeadlock(LockError):
    """``cycle``: locks each held by one who waits for the next, the last by who raised this.

    It begins with ``name``, the lock that was given up.
    """

    status = 409
    code = "lock_deadlock"

    def __init__(self, name: str = "", *, cycle: Sequence[str] = ()) -> None:
        super().__init__(name)
        self.cycle = tuple(cycle)

    def __str__(self) -> str:
        way = " → ".join(f"“{name}”" for name in (*self.cycle, self.name))
        return f"Deadlock: {way}, each held by one who waits for the next."


class LockLost(LockError):
    status = 409
    code = "lock_lost"
    message = "The lease on lock “{name}” is not this process's any more."

    def __init__(self, name: str = "", *, fence: int | None = None) -> None:
        super().__init__(name)
        self.fence = fence


class LockExpired(LockLost):
    message = "The lease on lock “{name}” ran out before the work was done."


class LockRevoked(LockLost):
    message = "The lease on lock “{name}” was taken away before its time."


class NotHeld(LockLost):
    message = "Lock “{name}” is not held under that token."


class LockUnavailable(LockError):
    """``refusal``: the word with which the store refused, one of REASONS, if it did."""

    status = 503
    code = "lock_unavailable"
    retry_after = 1.0
    message = "The lock store does not answer."

    def __init__(self, name: str = "", *, refusal: str = "") -> None:
        super().__init__(name)
        self.refusal = refusal

    def __str__(self) -> str:
        if self.refusal:
            return f"The lock store refused: {REASONS[self.refusal]} ({self.refusal})."
        return super().__str__()


class LockKeyMisused(LockUnavailable):
    """Only an operator can help, who finds out what else writes under the prefix of the locks."""


class LockQuarantined(LockUnavailable):
    """``retry_after`` is when locks are granted again."""

    message = "The lock store lost its data; locks are granted again in a while."

    def __init__(self, name: str = "", *, retry_after: float = 1.0) -> None:
        super().__init__(name)
        self.retry_after = retry_after


class LockNotDurable(LockUnavailable):
    """``durability``: what was asked for, "replica" or "aof"."""

    message = "Lock “{name}” could not be granted durably."

    def __init__(self, name: str = "", *, durability: str = "") -> None:
        super().__init__(name)
        self.durability = durability


class ConnectionBroken(LockUnavailable):
    """The connection ended before the reply came, or was never made."""

    message = "The lock store does not answer: there is no connection to it."


class ScriptMissing(LockUnavailable):
    """The store does not know the script by its digest."""


class Moved(LockUnavailable):
    """Another node of the cluster serves the keys: ``node``, a host and a port."""

    def __init__(self, node: tuple[str, int]) -> None:
        super().__init__()
        self.node = node


class Asked(LockUnavailable):
    """The same, for as long as the keys are on their way there."""

    def __init__(self, node: tuple[str, int]) -> None:
        super().__init__()
        self.node = node


class TryAgain(LockUnavailable):
    """The keys are on their way, some here and some there."""


class StaleFence(LockError):
    """``stored`` is the fence that refused; ``lock(…, floor=stored)`` gets past it."""

    status = 409
    code = "stale_fence"
    message = "A newer holder of “{name}” has written since."

    def __init__(self, name: str = "", *, fence: int | None = None, stored: int = 0) -> None:
        super().__init__(name)
        self.fence = fence
        self.stored = stored


class HolderChanged(StaleFence):
    """``fence`` is the one that was meant."""

    message = "Lock “{name}” is not held under that fence."
