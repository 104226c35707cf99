"""Verbs and views for operators; the doors (admin, commands, REST, health) call these."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

import redis
from django.db import DatabaseError

from . import configs
from .agent import agent
from .bounds import LONGEST
from .breaker import Breaker
from .change import change_of
from .circuit import OVERRIDES, Verb
from .conf import conf
from .errors import (
    BreakerUnavailable,
    CircuitNameError,
    CircuitUnknown,
    CommandInvalid,
    StaleEpoch,
)
from .history import history
from .link import link
from .names import canonical
from .pages import Page, checked, cursor_of, key_of
from .patterns import literal
from .policy import Policy
from .registry import borrowed, known
from .rows import has_row, transitions_of, within_transaction
from .shared import SharedStore
from .status import CircuitStatus, Source, status

if TYPE_CHECKING:
    from .models import BreakerTransition

LONGEST_REASON, LONGEST_ACTOR = 300, 150
LARGEST_EPOCH = 2**53 - 1
HISTORY_PATIENCE = 1.0
"""Seconds for the row of a command to be written before its maker goes on."""
AT_ONCE = 200
"""Circuits that a search for a page asks of the store in one trip."""


def circuits() -> list[CircuitStatus]:
    """All circuits of the fleet, or those of this process while the shared store is out of reach.

    Takes one or two trips, each bounded by the socket timeout.
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

    Raises CommandInvalid for a cursor that never was, and for a limit that is not from 1 to 200.
    """
    after, most = key_of(cursor) if cursor else "", checked(limit) + 1
    agent.start()
    _read_configuration()
    if link.up and (shared := link.shared()):
        try:
            names = (name for name in _names(shared) if name > after and contains in name)
            return _page(_in_parts(shared, names), most, word)
        except redis.RedisError as error:
            link.lost(error)
    mine = (name for name in sorted(agent.names()) if name > after and contains in name)
    return _page(_local(mine), most, word)


def circuit(name: str) -> CircuitStatus:
    """Raises CircuitUnknown, and BreakerUnavailable if nobody can say whether there is one."""
    breaker = _breaker(name)
    _read_configuration()
    return status(breaker.name, breaker.replica.look(), _source(breaker.name))


def policy(name: str) -> Policy:
    """The options in force, as far as this process knows those in the code."""
    return borrowed(name).replica.policy


def configure(name: str, options: Mapping[str, Any], *, actor: str) -> CircuitStatus:
    """Give a circuit options at run time, over those in the code; None takes one back.

    Raises CircuitUnknown and ConfigInvalid, having changed nothing.
    """
    name = _canonical(name)
    _demand(name)
    if options:
        configs.save(literal(name), options, actor=actor)
    return circuit(name)


def transitions(
    name: str, *, cursor: str | None = None, limit: int = 50
) -> "Page[BreakerTransition]":
    """What the database knows of a circuit's past, the latest first; raises as ``circuit``."""
    before, most = _epoch_of(cursor) if cursor else None, checked(limit) + 1
    rows = transitions_of(_canonical(name), before=before, most=most)
    if not rows and not cursor:
        _demand(_canonical(name))
    following = cursor_of(str(rows[-2].epoch)) if len(rows) == most else None
    return Page(rows=rows[: most - 1], following=following)


def act(
    name: str,
    verb: Verb,
    *,
    actor: str,
    reason: str,
    expires_in: float | None = None,
    expected_epoch: int | None = None,
) -> CircuitStatus:
    """Do as an operator says, for the whole fleet; an override ends after ``expires_in`` seconds.

    The transition is on record when this returns, or as soon as the database can be reached.

    Raises CircuitUnknown, CommandInvalid, StaleEpoch if the circuit is not in the expected epoch,
    and BreakerUnavailable if the shared store does not do it.
    """
    lasting = _lasting(verb, actor, reason, expires_in)
    breaker = _breaker(name)
    view = breaker.replica.command(
        verb, actor=actor, reason=reason, lasting=lasting, expected_epoch=expected_epoch
    )
    if not view.moved:
        raise StaleEpoch(breaker.name, view.epoch)
    history.drain(HISTORY_PATIENCE)
    return status(breaker.name, view, _source(breaker.name))


def shared() -> bool:
    """Whether the fleet has one state, as far as this process could see when it last asked."""
    return link.up and link.shared() is not None


def _lasting(verb: Verb, actor: str, reason: str, expires_in: float | None) -> int:
    """Milliseconds that an override lasts; 0 is for as long as nobody ends it."""
    if not reason.strip() or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise CommandInvalid(f"A reason is one line of 1 to {LONGEST_REASON} characters.")
    if not actor or len(actor) > LONGEST_ACTOR:
        raise CommandInvalid(f"An actor is named by 1 to {LONGEST_ACTOR} characters.")
    if expires_in is None:
        return 0
    if verb not in OVERRIDES:
        raise CommandInvalid(f"There is nothing to expire after {verb.value!r}.")
    if not 1 <= expires_in <= LONGEST:
        raise CommandInvalid(f"An override lasts 1 to {LONGEST} seconds, not {expires_in:g}.")
    return round(expires_in * 1000)


def _breaker(name: str) -> Breaker:
    """That of a circuit somebody has heard of; asking must not make new ones."""
    name = _canonical(name)
    _demand(name)
    breaker = borrowed(name)
    breaker.replica.load()
    # What the database remembers of a circuit that the store has lost is back by then.
    history.drain(HISTORY_PATIENCE)
    return breaker


def _read_configuration() -> None:
    """Who looks wants to see a change as soon as it is made, and not before it is committed."""
    if conf().history and not within_transaction():
        with suppress(DatabaseError):
            agent.read_configuration()


def _canonical(name: str) -> str:
    try:
        return canonical(name)
    except CircuitNameError:
        raise CircuitUnknown(name) from None


def _demand(name: str) -> None:
    if known(name) or _in_store(name) or (conf().history and has_row(name)):
        return
    if link.shared() and not link.up:
        raise BreakerUnavailable
    raise CircuitUnknown(name)


def _in_store(name: str) -> bool:
    if link.up and (shared := link.shared()):
        try:
            return shared.knows(name)
        except redis.RedisError as error:
            link.lost(error)
    return False


def _source(name: str) -> Source:
    return "shared" if shared() and not link.misused(name) else "local"


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


def _epoch_of(cursor: str) -> int:
    epoch = key_of(cursor)
    if not epoch.isdecimal() or len(epoch) > 16:
        raise CommandInvalid("There is no such page.")
    return int(epoch)
