"""Lists of the circuits of the whole fleet; ``control`` is the door to them."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice

import redis
from django.db import Error

from .agent import agent
from .change import change_of
from .conf import conf
from .history import history
from .link import link
from .pages import Page, bounded, cursor_of, key_of
from .registry import borrowed
from .rows import remembered_names, within_transaction
from .shared import SharedStore
from .status import CircuitStatus, Source, status

HISTORY_PATIENCE = 1.0
"""Seconds for the rows of circuits to be read or written before an operator goes on."""
AT_ONCE = 200
"""Circuits that a search for a page asks of the store in one trip."""


def circuits() -> list[CircuitStatus]:
    """All circuits of the fleet, or those of this process while the shared store is out of reach.

    Takes one or two trips, each bounded by the socket timeout, and asks no database.
    """
    agent.start()  # which notices when the store is back
    if link.up and (shared := link.shared()):
        try:
            return list(_shared(shared, _names(shared)))
        except redis.RedisError as error:
            link.lost(error)
    return list(_local(sorted(agent.names())))


def page(
    *, cursor: str | None = None, limit: int = 50, word: str = "", contains: str = ""
) -> Page[CircuitStatus]:
    """``circuits`` by name, or of them those that are ``word`` and have a name with this text.

    With those that only the database remembers.

    Raises CommandInvalid for a cursor that never was, and for a limit that is not from 1 to 200.
    """
    after, most = key_of(cursor) if cursor else "", bounded(limit) + 1
    agent.start()
    read_configuration()
    recall()
    if link.up and (shared := link.shared()):
        try:
            names = (name for name in _names(shared) if name > after and contains in name)
            return _page(_in_parts(shared, names), most, word)
        except redis.RedisError as error:
            link.lost(error)
    mine = (name for name in sorted(agent.names()) if name > after and contains in name)
    return _page(_local(mine), most, word)


def shared() -> bool:
    """Whether the fleet has one state, as far as this process could see when it last asked."""
    return link.up and link.shared() is not None


def source(name: str) -> Source:
    return "shared" if shared() and not link.misused(name) else "local"


def read_configuration() -> None:
    """Who looks wants to see a change as soon as it is made, and not before it is committed."""
    if conf().history and not within_transaction():
        with suppress(Error):
            agent.read_configuration()


def recall() -> None:
    """Bring back circuits that are not just closed, if the store lost them and rows remember."""
    if not conf().history or not link.up or not (shared := link.shared()):
        return
    with suppress(Error):
        try:
            lost = set(remembered_names(closed=False)).difference(shared.names())
        except redis.RedisError as error:
            link.lost(error)
            return
        if found := [borrowed(name) for name in sorted(lost)[:AT_ONCE]]:
            for breaker in found:
                breaker.replica.load()
            history.drain(HISTORY_PATIENCE)


def _names(shared: SharedStore) -> list[str]:
    return sorted({*shared.names(), *agent.names()})


def _in_parts(shared: SharedStore, names: Iterator[str]) -> Iterator[CircuitStatus]:
    while part := list(islice(names, AT_ONCE)):
        yield from _shared(shared, part)


def _shared(shared: SharedStore, names: list[str]) -> Iterator[CircuitStatus]:
    mine, expired = agent.names(), []
    for name, view in zip(names, shared.load_many(names, conf().policy), strict=True):
        if view is None:
            yield from _local([name])
        elif view.known or name in mine:
            if view.moved and (change := change_of(name, view)):
                history.note(change)  # an override whose time was over, as we happened to find
            yield status(name, view, "shared")
        else:
            expired.append(name)
    if expired:
        shared.forget(expired)


def _local(names: Iterable[str]) -> Iterator[CircuitStatus]:
    default = conf().policy
    return (status(name, link.local.load(name, default), "local") for name in names)


def _page(found: Iterator[CircuitStatus], most: int, word: str) -> Page[CircuitStatus]:
    rows = list(islice((one for one in found if word in ("", one.word)), most))
    following = cursor_of(rows[-2].name) if len(rows) == most else None
    return Page(rows=rows[: most - 1], following=following)
