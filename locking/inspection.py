"""What the store knows of locks, as values; tokens stay in the store."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from . import connections, holders, names, scripts
from .conf import conf
from .errors import LockInvalid, LockUnavailable
from .holders import Holder
from .names import Kind
from .steps import Run


class Phase(StrEnum):
    FREE = "free"
    HELD = "held"
    GRANTED = "granted"
    """Handed to the first waiter, who has not claimed it yet."""
    COOLING = "cooling"
    """Released, and kept from others until it has been held for as long as was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """``position`` counts from 1; ``waited`` is in seconds."""

    position: int
    waited: float
    host: str
    pid: int


class Mode(StrEnum):
    """What somebody holds: all of a plain lock, one side of a read/write lock, a permit."""

    EXCLUSIVE = "exclusive"
    READ = "read"
    WRITE = "write"
    PERMIT = "permit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """``expires_in`` is in seconds."""

    holder: Holder
    mode: Mode
    phase: Phase
    expires_in: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LockStatus:
    """``held`` counts all holds and ``waiting`` all in line; ``holds`` and ``waiters`` are the
    first of them.

    ``grants``, ``contended`` (asks that had to wait) and ``forced`` (releases) count since the
    lock was last idle for a week.
    """

    name: str
    kind: Kind
    held: int
    holds: tuple[Hold, ...]
    waiting: int
    waiters: tuple[Waiter, ...]
    grants: int
    contended: int
    forced: int

    @property
    def hold(self) -> Hold | None:
        """The oldest."""
        return self.holds[0] if self.holds else None

    @property
    def holder(self) -> Holder | None:
        return self.hold.holder if self.hold else None

    @property
    def phase(self) -> Phase:
        return self.hold.phase if self.hold else Phase.FREE

    @property
    def expires_in(self) -> float | None:
        return self.hold.expires_in if self.hold else None


class Cursor(NamedTuple):
    """The next page begins at this expiry (µs), after so many rows of that very expiry."""

    expiry: int = 0
    skip: int = 0

    def __str__(self) -> str:
        return f"{self.expiry:x}-{self.skip:x}"

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Raises LockInvalid."""
        try:
            expiry, skip = (int(part, 16) for part in text.split("-"))
        except ValueError:
            raise LockInvalid("There is no such page.") from None
        if not (0 <= expiry < 2**63 and 0 <= skip < 2**31):
            raise LockInvalid("There is no such page.")
        return cls(expiry, skip)


class Page(NamedTuple):
    """``held`` counts all locks held; ``following`` is None on the last page."""

    held: int
    keys: list[str]
    following: Cursor | None


def page(cursor: Cursor, limit: int) -> Page:
    args = cursor.expiry, cursor.skip, limit + 1
    reply = _run([Run(scripts.HELD, (names.index(conf().prefix),), args)])[0]
    if isinstance(reply, LockUnavailable):
        raise reply
    held, *rows = reply
    keys, expiries = rows[::2], [int(float(expiry)) for expiry in rows[1::2]]
    return Page(held, [key.decode() for key in keys[:limit]], _following(cursor, expiries, limit))


def _following(cursor: Cursor, expiries: list[int], limit: int) -> Cursor | None:
    if len(expiries) <= limit:
        return None
    expiry = expiries[limit]
    skip = expiries[:limit].count(expiry)
    # The page before may have ended within the same run of equals.
    return Cursor(expiry, skip + cursor.skip if expiry == cursor.expiry else skip)


def look(holder_keys: Iterable[str], *, most: int, fence: int | None = None) -> list[LockStatus]:
    """One row for each, with ``most`` of those who hold it and who wait; in one trip to the store.

    ``fence``: of many who hold it together, tell only of the one under that fence.

    A key under which the store keeps something else is left out.
    """
    wanted = list(holder_keys)
    replies = _run([_inspection(key, most, fence) for key in wanted])
    if wanted and all(isinstance(reply, LockUnavailable) for reply in replies):
        raise replies[0]
    return [
        status(names.from_key(conf().prefix, key), names.kind(key), reply)
        for key, reply in zip(wanted, replies, strict=True)
        if not isinstance(reply, LockUnavailable)
    ]


def _inspection(holder_key: str, most: int, fence: int | None) -> Run:
    keys = names.keys_of(holder_key)
    if names.kind(holder_key) is Kind.LOCK:
        return Run(scripts.INSPECT, keys, (most,))
    return Run(scripts.SHARED_INSPECT, keys, (most,) if fence is None else (most, fence))


def _run(runs: list[Run]) -> list[Any]:
    line = connections.line(conf().cache)
    try:
        return line.run_many(runs)
    finally:
        line.hang_up()


def status(name: str, kind: Kind, reply: list[Any]) -> LockStatus:
    if kind is Kind.LOCK:
        only, *others = reply
        reply = [len(only) > 0, [only] if only else [], *others]
    held, holds, waiting, line, (grants, contended, forced) = reply
    return LockStatus(
        name=name,
        kind=kind,
        held=int(held),
        holds=tuple(_hold(kind, *row) for row in holds),
        waiting=waiting,
        waiters=tuple(_waiter(place, *row) for place, row in enumerate(line, 1)),
        grants=grants,
        contended=contended,
        forced=forced,
    )


def _hold(
    kind: Kind, fence: int, ttl: int, held_us: int, phase: bytes, actor: bytes, meta: bytes,
    *share: int,
) -> Hold:  # fmt: skip
    return Hold(
        holder=holders.parse(fence, held_us, actor, meta),
        mode=_mode(kind, share),
        phase=Phase(phase.decode()),
        expires_in=max(ttl, 0) / 1000,
    )


def _mode(kind: Kind, share: tuple[int, ...]) -> Mode:
    match kind, share:
        case Kind.RW, (weight, capacity):
            return Mode.WRITE if weight == capacity else Mode.READ
        case Kind.SEMAPHORE, _:
            return Mode.PERMIT
    return Mode.EXCLUSIVE


def _waiter(position: int, waited_us: int, actor: bytes, *_: int) -> Waiter:
    host, pid, *_rest = actor.decode().split(":")
    return Waiter(position=position, waited=max(waited_us, 0) / 1e6, host=host, pid=int(pid))
