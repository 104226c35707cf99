"""What the store knows of locks, as values; tokens stay in the store."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from . import connections, holders, names, scripts
from .conf import Settings, conf
from .errors import LockInvalid, LockUnavailable
from .flows import Run
from .holders import Holder
from .lines import Line


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LockStatus:
    """``expires_in`` in seconds; ``waiting`` counts all in line, ``waiters`` are the first of them.

    ``grants``, ``contended`` (asks that had to wait) and ``forced`` (releases) count since the
    lock was last idle for a week.
    """

    name: str
    phase: Phase
    holder: Holder | None
    expires_in: float | None
    waiting: int
    waiters: tuple[Waiter, ...]
    grants: int
    contended: int
    forced: int


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
    names: list[str]
    following: Cursor | None


def page(cursor: Cursor, limit: int) -> Page:
    settings = conf()
    args = cursor.expiry, cursor.skip, limit + 1
    reply = _run([Run(scripts.HELD, (names.index(settings.prefix),), args)])[0]
    if isinstance(reply, LockUnavailable):
        raise reply
    held, *rows = reply
    keys, expiries = rows[::2], [int(float(expiry)) for expiry in rows[1::2]]
    return Page(
        held,
        [names.from_key(settings.prefix, key.decode()) for key in keys[:limit]],
        _following(cursor, expiries, limit),
    )


def _following(cursor: Cursor, expiries: list[int], limit: int) -> Cursor | None:
    if len(expiries) <= limit:
        return None
    expiry = expiries[limit]
    skip = expiries[:limit].count(expiry)
    # The page before may have ended within the same run of equals.
    return Cursor(expiry, skip + cursor.skip if expiry == cursor.expiry else skip)


def look(found: Iterable[str], *, waiters: int) -> list[LockStatus]:
    """One row for each name, with the first ``waiters`` of its line; in one trip to the store.

    A name under which the store keeps something else is left out.
    """
    settings = conf()
    wanted = list(found)
    replies = _run([_inspection(settings, name, waiters) for name in wanted])
    if wanted and all(isinstance(reply, LockUnavailable) for reply in replies):
        raise replies[0]
    return [
        status(name, reply)
        for name, reply in zip(wanted, replies, strict=True)
        if not isinstance(reply, LockUnavailable)
    ]


def _inspection(settings: Settings, name: str, waiters: int) -> Run:
    return Run(scripts.INSPECT, names.keys(settings.prefix, name)[:4], (waiters,))


def _run(runs: list[Run]) -> list[Any]:
    line = Line(connections.pool(conf().cache))
    try:
        return line.run_many(runs)
    finally:
        line.hang_up()


def status(name: str, reply: list[Any]) -> LockStatus:
    held, waiting, line, (grants, contended, forced) = reply
    phase, holder, expires_in = Phase.FREE, None, None
    if held:
        fence, ttl, held_for, state, actor, meta = held
        phase = Phase(state.decode())
        holder = holders.parse(fence, held_for, actor, meta)
        expires_in = max(ttl, 0) / 1000
    return LockStatus(
        name=name,
        phase=phase,
        holder=holder,
        expires_in=expires_in,
        waiting=waiting,
        waiters=tuple(_waiter(place, *row) for place, row in enumerate(line, 1)),
        grants=grants,
        contended=contended,
        forced=forced,
    )


def _waiter(position: int, waited_us: int, actor: bytes) -> Waiter:
    host, pid, *_ = actor.decode().split(":")
    return Waiter(position=position, waited=max(waited_us, 0) / 1e6, host=host, pid=int(pid))
