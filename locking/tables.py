"""Locks as lines of text, for people at a terminal."""

import json
from collections.abc import Iterable, Iterator

from .durations import spoken
from .inspection import Hold, LockStatus

Line = tuple[str, ...]


def held(locks: Iterable[LockStatus]) -> str:
    """A line for each who holds one; those of a lock follow each other."""
    lines: list[Line] = [
        ("NAME", "MODE", "HOLDER", "HELD FOR", "ENDS IN", "FENCE", "WAITING"),
        *((lock.name, *_hold(hold), str(lock.waiting)) for lock in locks for hold in lock.holds),
    ]
    return "\n".join(_aligned(lines))


def one(lock: LockStatus) -> str:
    return "\n\n".join("\n".join(_aligned(part)) for part in _parts(lock))


def _parts(lock: LockStatus) -> Iterator[list[Line]]:
    yield [
        ("NAME", lock.name),
        ("KIND", lock.kind),
        ("STATE", lock.phase),
        ("HELD BY", str(lock.held)),
        ("WAITING", str(lock.waiting)),
        ("GRANTS", str(lock.grants)),
        ("CONTENDED", str(lock.contended)),
        ("FORCED", str(lock.forced)),
    ]
    if lock.holds:
        told = ((*_hold(hold), json.dumps(dict(hold.holder.meta))) for hold in lock.holds)
        yield [("MODE", "HOLDER", "HELD FOR", "ENDS IN", "FENCE", "META"), *told]
    if lock.waiters:
        yield [
            ("POSITION", "PROCESS", "WAITS FOR"),
            *(
                (str(one.position), f"{one.host}:{one.pid}", spoken(one.waited))
                for one in lock.waiters
            ),
        ]


def _hold(hold: Hold) -> Line:
    holder = hold.holder
    return (
        hold.mode,
        f"{holder.host}:{holder.pid}:{holder.thread}",
        spoken(holder.held_for),
        spoken(hold.expires_in),
        str(holder.fence),
    )


def printable(text: str) -> str:
    """Escapes all that would move a cursor, forge a line, turn the text around or hide in it."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def _aligned(raw: list[Line]) -> Iterator[str]:
    lines = [tuple(map(printable, line)) for line in raw]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(map(str.ljust, line, widths)).rstrip()
