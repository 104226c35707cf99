"""Locks that several may hold at once: ``rw_lock()`` and ``semaphore()``.

Both are shares of a name with a capacity. A reader weighs 1 in a capacity without end, a writer
weighs all of it; a permit weighs 1 in as many as there are. Each share is a lease of its own, with
a fence of its own that rises over all shares of the name. The line is one and in order of arrival:
whoever is next and does not fit yet keeps those behind it waiting, so nobody starves; and all that
fit are granted together.

``lock("x")``, ``rw_lock("x")`` and ``semaphore("x", 3)`` are three things.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypedDict, TypeVar, Unpack

from django.db.models import Model

from . import holding, names
from .attempts import Attempt, Guard
from .conf import conf
from .durations import Duration
from .errors import LockBusy, LockDeadlock, LockInvalid
from .leases import Lease
from .locks import Lock, lock
from .names import Kind
from .steps import Flow

L = TypeVar("L", bound=Lock)

# More than may ever hold at once.
ALL = 2**31
READ, WRITE = (1, ALL), (ALL, ALL)


class Options(TypedDict, total=False):
    """Those of ``lock()`` that make sense for a share."""

    lease: Duration
    wait: Duration | None
    fair: bool
    renew: bool
    max_hold: Duration
    on_lost: Callable[[Lease], object] | None
    cancel_on_lost: bool
    meta: Mapping[str, Any] | None
    floor: int
    durability: str | None
    in_atomic: bool


def rw_lock(name: str | Model, **options: Unpack[Options]) -> "RWLock":
    """Many may read at once, or one may write. ``options`` are those of ``lock()``.

    A thread or task that reads may read once more, also while a writer waits; to write it has to
    end its own reading first, and the other way round: it would wait for itself, so it gets a
    LockDeadlock at once. Between the two somebody else may write.
    """
    whole, keys = _whole("rw_lock", name, Kind.RW, options)
    read, write = (_part(Side, whole, keys, share) for share in (READ, WRITE))
    return RWLock(name=whole.name, read=read, write=write)


def semaphore(name: str | Model, permits: int, **options: Unpack[Options]) -> "Permit":
    """Up to ``permits`` may hold it at once. ``options`` are those of ``lock()``.

    A permit is a lease, so those of dead holders come back. The store keeps no number of permits:
    each caller enters if fewer than its own ``permits`` are in use, so all should pass the same.
    Lowering it takes no permit back.
    """
    whole, keys = _whole("semaphore", name, Kind.SEMAPHORE, options)
    return _part(Permit, whole, keys, (1, _checked(permits)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Permit(Lock):
    """One of those of a semaphore."""

    def _taking(self, wait: float | None, actor: str, guard: Guard | None) -> Flow[Lease]:
        try:
            return (yield from Lock._taking(self, wait, actor, guard))
        except LockBusy as error:
            error.message = "All permits of “{name}” are taken."
            raise


@dataclass(frozen=True, kw_only=True, slots=True)
class Side(Lock):
    """One of the two sides of a read/write lock."""

    @property
    def writes(self) -> bool:
        return self.share == WRITE

    def _attempt(self, token: str, wait: float | None, actor: str, guard: Guard | None) -> Attempt:
        attempt = Lock._attempt(self, token, wait, actor, guard)
        mine = [lease.lock for lease in holding.at_hand() if self._meets(lease.lock)]
        if not mine:
            return attempt
        if self.writes or WRITE in [held.share for held in mine]:
            raise LockDeadlock(self.name, cycle=[self.name])
        # In line behind a writer, who waits for this very reader, it would wait for itself.
        return attempt._replace(terms=replace(attempt.terms, fair=False))

    def _meets(self, other: Lock) -> bool:
        return (other.keys, other.terms.alias) == (self.keys, self.terms.alias)


@dataclass(frozen=True, kw_only=True, slots=True)
class RWLock:
    name: str
    read: Side
    write: Side


def _whole(
    function: str, name: str | Model, kind: Kind, options: Options
) -> tuple[Lock, tuple[str, ...]]:
    if unknown := sorted(options.keys() - Options.__annotations__.keys()):
        raise TypeError(f"{function}() got an unexpected keyword argument {unknown[0]!r}")
    whole = lock(name, **options)
    return whole, names.share_keys(conf().prefix, kind, whole.name)


def _part(part: type[L], whole: Lock, keys: tuple[str, ...], share: tuple[int, int]) -> L:
    wanted = {field.name: getattr(whole, field.name) for field in fields(whole) if field.init}
    return part(**wanted | {"keys": keys, "share": share})


def _checked(permits: int) -> int:
    if type(permits) is not int or not 0 < permits < ALL:
        raise LockInvalid(f"permits must be an integer from 1 to {ALL - 1}.")
    return permits
