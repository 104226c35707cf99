"""Verbs and views for operators; the doors (admin, commands, REST, health) call these."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import redis

from . import coded, configs, tags
from .actors import check_actor
from .bounds import LONGEST
from .breaker import Breaker
from .circuit import OVERRIDES, Verb
from .conf import conf
from .errors import (
    BreakerUnavailable,
    CircuitChanged,
    CircuitNameError,
    CircuitUnknown,
    CommandInvalid,
    StaleEpoch,
)
from .history import history
from .link import link
from .listing import HISTORY_PATIENCE, circuits, page, read_configuration, recall, shared, source
from .names import canonical
from .pages import Page, bounded, cursor_of, key_of
from .patterns import literal
from .policy import Policy
from .registry import known
from .rows import has_row, transitions_of
from .status import CircuitStatus, status
from .tags import Condition

if TYPE_CHECKING:
    from .models import BreakerTransition

__all__ = [
    "act", "circuit", "circuits", "configure", "configured", "page", "policies", "policy",
    "recall", "shared", "tag", "transitions",
]  # fmt: skip
LONGEST_REASON = 300
LARGEST_EPOCH = 2**53 - 1


def circuit(name: str) -> CircuitStatus:
    """Raises CircuitUnknown, and BreakerUnavailable if nobody can say whether there is one."""
    breaker = _breaker(name)
    read_configuration()
    return status(breaker.name, breaker.replica.look(), source(breaker.name))


def policy(name: str) -> Policy:
    """The options in force, with those in the code of any process."""
    return policies([name])[name]


def policies(names: Iterable[str]) -> dict[str, Policy]:
    """All in one trip; asks the store only about those that are not in the code here."""
    return coded.policies(names)


def configured(name: str, force: Policy) -> dict[str, Any]:
    """Those of the options in force that were given at run time, without what was left out."""
    given = configs.of(name).items()
    return {option: value for option, value in given if getattr(force, option) == value}


def tag(found: CircuitStatus) -> str:
    """The ETag of what ``circuit`` and those that change one return."""
    return tags.tag(found.epoch, configs.of(found.name))


def configure(
    name: str, options: Mapping[str, Any], *, actor: str, condition: Condition | None = None
) -> CircuitStatus:
    """Give a circuit options at run time, over those in the code; None takes one back.

    Raises CircuitUnknown, ConfigInvalid and CircuitChanged, having changed nothing.
    """
    name = _canonical(name)
    _demand(name)
    if condition:
        configs.save_if(name, options, actor=actor, before=condition.options)
    elif options:
        configs.save(literal(name), options, actor=actor)
    return circuit(name)


def transitions(
    name: str, *, cursor: str | None = None, limit: int = 50
) -> "Page[BreakerTransition]":
    """What the database knows of a circuit's past, the latest first; raises as ``circuit``."""
    name = _canonical(name)
    before, most = _epoch_of(cursor) if cursor else None, bounded(limit) + 1
    rows = transitions_of(name, before=before, most=most)
    if not rows and not cursor:
        _demand(name)
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
    condition: Condition | None = None,
) -> CircuitStatus:
    """Do as an operator says, for the whole fleet; an override ends after ``expires_in`` seconds.

    The transition is on record when this returns, or as soon as the database can be reached.

    Raises CircuitUnknown, CommandInvalid, StaleEpoch if the circuit is not in the expected epoch,
    CircuitChanged if not in one of the condition, and BreakerUnavailable if the shared store does
    not do it.
    """
    lasting = _lasting(verb, actor, reason, expires_in)
    breaker = _breaker(name)
    if condition:
        epoch = breaker.replica.look().epoch
        if str(epoch) not in condition.epochs:
            raise CircuitChanged(breaker.name)
        expected_epoch = epoch if expected_epoch is None else expected_epoch
    view = breaker.replica.command(
        verb, actor=actor, reason=reason, lasting=lasting, expected_epoch=expected_epoch
    )
    if not view.moved:
        raise (CircuitChanged(breaker.name) if condition else StaleEpoch(breaker.name, view.epoch))
    history.drain(HISTORY_PATIENCE)
    return status(breaker.name, view, source(breaker.name))


def _lasting(verb: Verb, actor: str, reason: str, expires_in: float | None) -> int:
    """Milliseconds that an override lasts; 0 is for as long as nobody ends it."""
    if not reason.strip() or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise CommandInvalid(f"A reason is one line of 1 to {LONGEST_REASON} characters.")
    check_actor(actor)
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
    breaker = coded.borrowed(name)
    breaker.replica.load()
    # What the database remembers of a circuit that the store has lost is back by then.
    history.drain(HISTORY_PATIENCE)
    return breaker


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
            return shared.catalogue.has(name)
        except redis.RedisError as error:
            link.lost(error)
    return False


def _epoch_of(cursor: str) -> int:
    epoch = key_of(cursor)
    if not epoch.isdecimal() or len(epoch) > 16:
        raise CommandInvalid("There is no such page.")
    return int(epoch)
