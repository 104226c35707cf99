"""Threads and tasks that perform plays and record what happens, before anything else happens."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async

from locking import (
    Lease,
    LockBusy,
    LockLost,
    LockUnavailable,
    StaleFence,
    locked_atomic,
)

from .journal import Journal, now
from .models import Row
from .plays import (
    Acquire,
    Check,
    Drop,
    Extend,
    Pause,
    Release,
    Section,
    Step,
    Try,
    Wish,
    Write,
)

# Which operation a flow of this thread or task belongs to.
operation: ContextVar[int] = ContextVar("operation")

OUTCOMES: dict[type[BaseException], str] = {
    LockBusy: "busy",
    LockLost: "lost",
    LockUnavailable: "unavailable",
    StaleFence: "stale",
    asyncio.CancelledError: "cancelled",
}


class Over(Exception):
    """The play ends here; what happened is on record."""


def outcome(error: BaseException) -> str:
    return next((word for kind, word in OUTCOMES.items() if isinstance(error, kind)), "")


@dataclass(frozen=True)
class Recorder:
    journal: Journal
    count: Callable[[], None]

    def note(self, kind: str, *values: object, at: int | None = None) -> None:
        self.journal.note(kind, operation.get(), *values, at=at)

    @contextmanager
    def ending(self, kind: str) -> Iterator[None]:
        """Note how a call failed; what no caller should see passes on as it is."""
        try:
            yield
        except BaseException as error:
            word = outcome(error)
            if not word:
                raise
            self.note(kind, word)
            raise Over from error

    def ask(self, wish: Wish, wait: float | None = None) -> int:
        at, wait = now(), wish.wait if wait is None else wait
        share = wish.weight, wish.capacity
        self.note("ask", wish.name, ns(wait), ns(wish.lease), int(wish.fair), *share, at=at)
        return at

    def granted(self, lease: Lease) -> Lease:
        self.count()
        self.note("granted", lease.fence, until(lease))
        return lease

    def valid(self, lease: Lease) -> None:
        if known := until(lease):
            self.note("valid", known)

    def leave(self, lease: Lease) -> None:
        self.note("leave", until(lease))

    def left(self) -> None:
        self.note("left", "ok")


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


def until(lease: Lease) -> int:
    """The local deadline, a trifle early rather than late; 0 when the lease is lost."""
    before = now()
    left = ns(lease.remaining)
    return before + left if left else 0


def save(record: Recorder, lease: Lease) -> None:
    row = Row.objects.get(pk=lease.name)
    row.writes += 1
    record.note("write", "row", lease.fence)
    try:
        row.save_fenced(lease)
    except StaleFence as stale:
        record.note("wrote", "row", "stale", stale.stored)
    else:
        record.note("wrote", "row", "ok", 0)


def _locked_atomic(wish: Wish) -> AbstractContextManager[Lease]:
    return locked_atomic(wish.name, wait=wish.wait, lease=wish.lease, fair=wish.fair)


def section(record: Recorder, step: Section) -> None:
    asked = record.ask(step.wish)
    try:
        with record.ending("failed"), _locked_atomic(step.wish) as lease:
            record.granted(lease)
            record.note("write", "fence", lease.fence, at=asked)
            record.leave(lease)
    except Over as over:
        if isinstance(stale := over.__cause__, StaleFence):
            record.note("write", "fence", stale.fence, at=asked)
            record.note("wrote", "fence", "stale", stale.stored)
        raise
    record.note("wrote", "fence", "ok", 0)
    record.left()


@dataclass(frozen=True)
class Player:
    """What a thread needs to perform steps."""

    record: Recorder

    def perform(self, step: Step) -> Any:
        record = self.record
        match step:
            case Acquire(wish, lock):
                record.ask(wish)
                with record.ending("failed"):
                    lease = lock.acquire()
                return record.granted(lease)
            case Try(wish, lock):
                record.ask(wish, 0)
                with record.ending("failed"):
                    found = lock.try_acquire()
                if not found:
                    record.note("failed", "busy")
                    raise Over
                return record.granted(found)
            case Extend(lease):
                with record.ending("left"):
                    lease.extend()
                return record.valid(lease)
            case Check(lease):
                with record.ending("left"):
                    lease.check()
                return record.valid(lease)
            case Write(lease):
                return save(record, lease)
            case Release(lease):
                record.leave(lease)
                with record.ending("left"):
                    lease.release()
                return record.left()
            case Drop():
                return None
            case Pause(seconds):
                return time.sleep(seconds)
            case Section():
                return section(record, step)


@dataclass(frozen=True)
class AsyncPlayer:
    record: Recorder

    async def perform(self, step: Step) -> Any:
        record = self.record
        match step:
            case Acquire(wish, lock, patience):
                record.ask(wish)
                with record.ending("failed"):
                    lease = await impatient(lock.aacquire(), patience)
                return record.granted(lease)
            case Try(wish, lock):
                record.ask(wish, 0)
                with record.ending("failed"):
                    found = await lock.atry_acquire()
                if not found:
                    record.note("failed", "busy")
                    raise Over
                return record.granted(found)
            case Extend(lease):
                with record.ending("left"):
                    await lease.aextend()
                return record.valid(lease)
            case Check(lease):
                with record.ending("left"):
                    lease.check()
                return record.valid(lease)
            case Write(lease):
                return await sync_to_async(save)(record, lease)
            case Release(lease, patience):
                record.leave(lease)
                with record.ending("left"):
                    await impatient(lease.arelease(), patience)
                return record.left()
            case Drop():
                return None
            case Pause(seconds):
                return await asyncio.sleep(seconds)
            case Section():
                return await sync_to_async(section)(record, step)


async def impatient(work: Awaitable[Any], patience: float | None) -> Any:
    if patience is None:
        return await work
    task = asyncio.ensure_future(work)
    await asyncio.wait({task}, timeout=patience)
    task.cancel()
    return await task
