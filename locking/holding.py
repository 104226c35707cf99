"""Which leases each thread and task has at hand.

Kept on every grant and release, so it costs no more than an entry in a dictionary of the thread's
or the task's own. A lease knows the dictionary it is in: others may release it.
"""

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from . import owners

if TYPE_CHECKING:
    from .tenures import Tenure

Hands = dict[str, "ref[Tenure]"]


class _Own(threading.local):
    def __init__(self) -> None:
        self.hands: Hands = {}


def hands() -> Hands:
    """Of the calling thread or task."""
    owner = owners.current()
    if isinstance(owner, asyncio.Future):
        return _of_tasks.setdefault(owner, {})
    return _own.hands


def at_hand() -> "list[Tenure]":
    """The caller's leases that hold, oldest first."""
    return held(hands())


def held(mine: Hands) -> "list[Tenure]":
    if not mine:
        return []
    leases = []
    for token, known in list(mine.items()):
        lease = known()
        if lease is None:  # dropped without a release
            mine.pop(token, None)
        elif lease.valid:
            leases.append(lease)
    return leases


def _drop_in_child() -> None:
    _own.hands = {}
    _of_tasks.clear()


_own = _Own()
_of_tasks: WeakKeyDictionary[asyncio.Task[Any], Hands] = WeakKeyDictionary()
os.register_at_fork(after_in_child=_drop_in_child)
