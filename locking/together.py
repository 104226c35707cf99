"""``lock_all()``: several locks at once, taken in one order so that nobody waits in a circle."""

from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model

from . import clock, owners
from .blocks import Enterable
from .durations import Duration
from .errors import LockBusy, LockInvalid
from .leases import Lease
from .locks import Lock, lock


def lock_all(*names: str | Model, **options: Any) -> "LockAll":
    """All of these locks or none. ``options`` are those of ``lock()``, for each of them.

    They are acquired in the order of their names and released in reverse; ``wait`` is for all of
    them together. Entered, it gives one lease for each name, in the order of the arguments:

    >>> with lock_all("stock:7", "order:3") as (stock, order): ...
    """
    if not names:
        raise LockInvalid("lock_all() needs at least one name.")
    wanted = [lock(name, **options) for name in names]
    distinct = {one.name: one for one in wanted}
    return LockAll(
        names=tuple(one.name for one in wanted),
        locks=tuple(distinct[name] for name in sorted(distinct)),
        wait=wanted[0].terms.wait,
    )


class Leases(tuple[Lease, ...]):
    """A lease for each name that was asked for; a name given twice has its lease twice."""

    __slots__ = ()

    @property
    def in_order(self) -> list[Lease]:
        """Each of them once, as they were acquired."""
        return sorted(set(self), key=lambda lease: lease.name)

    @property
    def owner(self) -> owners.Owner | None:
        return self[0].owner

    @property
    def remaining(self) -> float:
        """Seconds for which all of them can be trusted."""
        return min(lease.remaining for lease in self)

    @property
    def valid(self) -> bool:
        return all(lease.valid for lease in self)

    @property
    def lost(self) -> bool:
        return any(lease.lost for lease in self)

    def check(self) -> None:
        """Raises LockLost unless all are valid."""
        for lease in self:
            lease.check()

    def adopt(self) -> None:
        for lease in self:
            lease.adopt()

    def extend(self, lease: Duration | None = None) -> None:
        for one in self.in_order:
            one.extend(lease)

    async def aextend(self, lease: Duration | None = None) -> None:
        for one in self.in_order:
            await one.aextend(lease)

    def release(self) -> None:
        """All, also when one of them was lost, which is raised in the end."""
        with ExitStack() as stack:
            for lease in self.in_order:
                stack.callback(lease.release)

    async def arelease(self) -> None:
        async with AsyncExitStack() as stack:
            for lease in self.in_order:
                stack.push_async_callback(lease.arelease)

    def __enter__(self) -> "Leases":
        return self

    def __exit__(self, *details: Any) -> None:
        stack = ExitStack()
        for lease in self.in_order:
            stack.push(lease)
        stack.__exit__(*details)

    async def __aenter__(self) -> "Leases":
        return self

    async def __aexit__(self, *details: Any) -> None:
        stack = AsyncExitStack()
        for lease in self.in_order:
            stack.push_async_exit(lease)
        await stack.__aexit__(*details)


@dataclass(frozen=True, kw_only=True, slots=True)
class LockAll(Enterable[Leases]):
    """``names`` as the caller gave them, ``locks`` in the order in which they are acquired."""

    names: tuple[str, ...]
    locks: tuple[Lock, ...]
    wait: float | None
    _open: list[Leases] = field(default_factory=list, init=False, repr=False, compare=False)

    def acquire(self) -> Leases:
        """Raises what ``lock().acquire()`` does; then none of them is held."""
        return self._acquire(self.wait)

    def try_acquire(self) -> Leases | None:
        try:
            return self._acquire(0.0)
        except LockBusy:
            return None

    async def aacquire(self) -> Leases:
        return await self._aacquire(self.wait)

    async def atry_acquire(self) -> Leases | None:
        try:
            return await self._aacquire(0.0)
        except LockBusy:
            return None

    def _acquire(self, wait: float | None) -> Leases:
        with ExitStack() as stack:
            held = [stack.enter_context(one._acquire(left)) for one, left in self._each(wait)]
            leases = self._arranged(held)
            stack.pop_all()
        return leases

    async def _aacquire(self, wait: float | None) -> Leases:
        async with AsyncExitStack() as stack:
            held = [
                await stack.enter_async_context(await one._aacquire(left))
                for one, left in self._each(wait)
            ]
            leases = self._arranged(held)
            stack.pop_all()
        return leases

    def _each(self, wait: float | None) -> Iterator[tuple[Lock, float | None]]:
        """Each with the time that is left when its turn comes."""
        until = None if wait is None else clock.now() + wait
        for one in self.locks:
            left = None if until is None else max(until - clock.now(), 0.0)
            yield one, left

    def _arranged(self, held: list[Lease]) -> Leases:
        by_name = {lease.name: lease for lease in held}
        leases = Leases(by_name[name] for name in self.names)
        # The first may have run out while the last was waited for.
        leases.check()
        return leases
