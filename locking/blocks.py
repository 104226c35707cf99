"""``with`` and ``async with`` on a value that many may share: each leaves the lease it entered.

Python loads ``__exit__`` for each statement anew, just before it calls ``__enter__``, and ExitStack
does the same. What is loaded here belongs to that one block, and the lease is put into it: so it is
at hand in whichever thread or task the block ends. Generators and stacks may be closed in any.
"""

import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from . import owners


class Held(Protocol):
    @property
    def owner(self) -> owners.Owner | None: ...

    def __exit__(self, *details: Any) -> None: ...

    async def __aexit__(self, *details: Any) -> None: ...


R = TypeVar("R")
L = TypeVar("L", bound=Held)


class Block:
    __slots__ = ("lease",)

    def __init__(self) -> None:
        self.lease: Held | None = None


class Coming(threading.local):
    """The block that this thread is about to enter."""

    block: Block | None = None

    def take(self) -> Block | None:
        block, self.block = self.block, None
        return block


_coming = Coming()


class Exit(Generic[R]):
    """``__exit__``, made anew each time it is loaded."""

    def __init__(self, leave: Callable[..., R]) -> None:
        self._leave = leave

    def __get__(self, lock: "Enterable[Any] | None", kind: type) -> Callable[..., R]:
        block = _coming.block = Block()
        # ExitStack loads it from the class, and passes the lock itself.
        return partial(self._leave, block, *([lock] if lock else []))


def _leave(block: Block, lock: "Enterable[Any]", *details: Any) -> None:
    lock._leaving(block).__exit__(*details)


async def _aleave(block: Block, lock: "Enterable[Any]", *details: Any) -> None:
    await lock._leaving(block).__aexit__(*details)


class Enterable(Generic[L]):
    """What can be acquired can be entered. ``_open``: leases of blocks entered by plain calls."""

    __slots__ = ()
    _open: list[L]

    def acquire(self) -> L:
        raise NotImplementedError

    async def aacquire(self) -> L:
        raise NotImplementedError

    def __enter__(self) -> L:
        block = _coming.take()
        return self._entering(block, self.acquire())

    def __aenter__(self) -> Coroutine[Any, Any, L]:
        return self._aenter(_coming.take())

    __exit__ = Exit(_leave)
    __aexit__ = Exit(_aleave)

    async def _aenter(self, block: Block | None) -> L:
        return self._entering(block, await self.aacquire())

    def _entering(self, block: Block | None, lease: L) -> L:
        if block:
            block.lease = lease
        else:
            self._open.append(lease)
        return lease

    def _leaving(self, block: Block) -> Held:
        if block.lease:
            return block.lease
        # Not a statement, but plain calls of __enter__ and __exit__.
        _coming.take()
        if not self._open:
            raise RuntimeError("This lock is left without having been entered.")
        mine = [lease for lease in self._open if lease.owner is owners.current()]
        lease = (mine or self._open)[-1]
        self._open.remove(lease)
        return lease
