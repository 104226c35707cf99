"""Two locks taken in both orders are a deadlock that has not happened yet.

Only who waits for a lock while it holds another can help to close a circle: nothing is recorded
of single locks, nor of those that are tried once. Circles of three and more are left to detection.
"""

import logging
from collections.abc import Iterable
from functools import lru_cache

from .patterns import pattern

logger = logging.getLogger(__name__)

MOST_PAIRS = 4096


def note(held: Iterable[str], wanted: str) -> None:
    """A lock is about to be waited for while others are held. Warns once for each pair."""
    for name in held:
        if name != wanted:
            _note(name, wanted)


def _note(held: str, wanted: str) -> None:
    first, second = _kinds(held, wanted)
    seen = _seen(*sorted((first, second)))
    way = first, held < wanted
    if way in seen:
        return
    known = _inverted(seen)
    seen.add(way)
    if not known and _inverted(seen):
        logger.warning(
            "Lock %r is wanted while %r is held, and elsewhere in this process such locks are taken"
            " in the other order: this can deadlock.",
            wanted,
            held,
        )


def _kinds(held: str, wanted: str) -> tuple[str, str]:
    """Locks of one pattern can only be told apart by their names."""
    one, other = pattern(held), pattern(wanted)
    return (held, wanted) if one == other else (one, other)


@lru_cache(MOST_PAIRS)
def _seen(one: str, other: str) -> set[tuple[str, bool]]:
    """Which kind was held first, and whether the names rose; the cache is the memory."""
    return set()


def _inverted(seen: set[tuple[str, bool]]) -> bool:
    # Whoever takes all locks by rising names, as lock_all() does, never closes a circle.
    return len({first for first, _ in seen}) == 2 and not all(rising for _, rising in seen)
