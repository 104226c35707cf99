"""Leases that their holder may enter again, without asking the store.

Whose they are is told by the running task, or by the thread outside of tasks. A context variable
would not do: the tasks that a task starts inherit its context, but not its locks.
"""

import os
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from . import owners

if TYPE_CHECKING:
    from .leases import Lease
    from .locks import Lock
    from .tenures import Tenure

_Key = tuple[owners.Owner | None, str, str, tuple[int, ...]]
_entered: WeakValueDictionary[_Key, "Lease"] = WeakValueDictionary()


def held(lock: "Lock") -> "Lease | None":
    """The caller's own lease on this lock, entered once more. Raises LockLost if it is lost."""
    lease = _entered.get(_key(owners.current(), lock))
    return lease.entered() if lease else None


def keep(lease: "Lease") -> None:
    _entered[_key(lease.owner, lease.lock)] = lease


def forget(lease: "Tenure") -> None:
    _entered.pop(_key(lease.owner, lease.lock), None)


def _key(owner: owners.Owner | None, lock: "Lock") -> _Key:
    return owner, lock.terms.alias, lock.keys[0], lock.share


os.register_at_fork(after_in_child=_entered.clear)
