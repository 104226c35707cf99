"""Lists of the circuits of the whole fleet; ``control`` is the door to them."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice

import redis
from django.db import Error

from . import coded
from .agent import agent
from .change import change_of
from .conf import conf
from .declared import declared
from .errors import BreakerUnavailable
from .history import history
from .link import link
from .names import is_name
from .pages import Page, bounded, cursor_of, key_of
from .registry import known
from .rows import remembered_names, within_transaction
from .shared import SharedStore
from .status import CircuitStatus, Source, status

HISTORY_PATIENCE = 1.0
"""Seconds for the rows of circuits to be read or written before an operator goes on."""
AT_ONCE = 200
"""Circuits that a search for a page asks of the store in one trip."""


def circuits() -> list[CircuitStatus]:
    """All circuits of the fleet, those in its code that nobody called yet, too.

    While the shared store is out of reach, those that this process calls. Takes two or three
    trips, each bounded by the socket timeout, and asks no database.
    """
    agent.start()  # which notices when the store is back
    if link.up and (shared := link.shared()):
        try:
            names, standing = _names(shared)
            return list(_shared(shared, names, standing))
        except redis.RedisError as error:
            link.lost(error)
    return list(_local(_called_here()))


def page(
    *, cursor: str | None = None, limit: int = 50, word: str = "", contains: str = ""
) -> Page[CircuitStatus]:
    """``circuits`` by name, or of them those that are ``word`` and have a name with this text.

    With those that only the database remembers.

    Raises CommandInvalid for a cursor that never was, and for a limit that is not from 1 to 200;
    BreakerUnavailable if the shared store is out of reach and this process calls no circuit.
    """
    after, most = key_of(cursor) if cursor else "", bounded(limit) + 1
    agent.start()
    read_configuration()
    recall()
    if link.up and (shared := link.shared()):
        try:
            names, standing = _names(shared)
            wanted = (name for name in names if name > after and contains in name)
            return _page(_in_parts(shared, wanted, standing), most, word)
        except redis.RedisError as error:
            link.lost(error)
    if not (mine := _called_here()) and link.shared():
        raise BreakerUnavailable("does not answer, and no circuit is called by this process")
    found = (name for name in mine if name > after and contains in name)
    return _page(_local(found), most, word)


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
            lost = set(filter(is_name, remembered_names(closed=False)))
            lost -= set(shared.catalogue.names())
        except redis.RedisError as error:
            link.lost(error)
            return
        if found := [coded.borrowed(name) for name in sorted(lost)[:AT_ONCE]]:
            for breaker in found:
                breaker.replica.load()
            history.drain(HISTORY_PATIENCE)


def _called_here() -> list[str]:
    """Without those that somebody but looks at through this process."""
    return sorted(name for name in agent.names() if known(name))


def _names(shared: SharedStore) -> tuple[list[str], set[str]]:
    """All, and those that need not have been called to be there."""
    called, in_code = shared.catalogue.lists()
    standing = {*in_code, *declared.names(), *_called_here()}
    return sorted({*called, *standing}), standing


def _in_parts(
    shared: SharedStore, names: Iterator[str], standing: set[str]
) -> Iterator[CircuitStatus]:
    while part := list(islice(names, AT_ONCE)):
        yield from _shared(shared, part, standing)


def _shared(shared: SharedStore, names: list[str], standing: set[str]) -> Iterator[CircuitStatus]:
    expired = []
    for name, view in zip(names, shared.load_many(names, conf().policy), strict=True):
        if view is None:
            yield from _local([name])
        elif view.known or name in standing:
            if view.moved and (change := change_of(name, view)):
                history.note(change)  # an override whose time was over, as we happened to find
            yield status(name, view, "shared")
        else:
            expired.append(name)
    if expired:
        shared.catalogue.forget(expired)


def _local(names: Iterable[str]) -> Iterator[CircuitStatus]:
    default = conf().policy
    return (status(name, link.local.load(name, default), "local") for name in names)


def _page(found: Iterator[CircuitStatus], most: int, word: str) -> Page[CircuitStatus]:
    rows = list(islice((one for one in found if word in ("", one.word)), most))
    following = cursor_of(rows[-2].name) if len(rows) == most else None
    return Page(rows=rows[: most - 1], following=following)
