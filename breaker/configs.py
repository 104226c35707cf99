"""Options of circuits at run time: rows of ``BreakerConfig``, by name or by pattern.

They go before the options in code, which go before the BREAKER setting. Every process keeps a
copy: a change is announced through the store, and read from the database off the call path.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import redis
from django.db import router, transaction
from django.db.models.signals import post_delete, post_save

from . import coded, overlay, patterns, rows, tags
from .actors import check_actor
from .agent import agent
from .conf import POLICY_KEYS, conf
from .errors import CircuitChanged, ConfigInvalid, ConfigUnknown, PolicyError
from .link import link
from .options import check_values
from .overlay import Overlay
from .policy import Policy

if TYPE_CHECKING:
    from .models import BreakerConfig

logger = logging.getLogger(__name__)


def of(name: str) -> dict[str, Any]:
    """The options given at run time for a name, as far as this process knows them by now."""
    return overlay.current.overlay.of(name)


def save(
    pattern: str, options: Mapping[str, Any], *, actor: str, enabled: bool | None = None
) -> "BreakerConfig":
    """Give options to circuits, from now on; those given for the pattern before stay, too.

    None takes an option away, and those that no longer exist go by themselves; with the last one
    goes the row, which is returned as it would be. What is not enabled waits until it is: a new
    row is, unless told otherwise, others stay what they are.
    Raises ConfigInvalid, a PolicyError, and CommandInvalid, having changed nothing.
    """
    from .models import BreakerConfig

    patterns.check(pattern)
    check_actor(actor)
    with transaction.atomic(using=router.db_for_write(BreakerConfig)):
        row = _held(pattern)
        row.options = _joined(row.given, options)
        check(pattern, row.options)
        if enabled is not None:
            row.enabled = enabled
        row.updated_by, row.version = actor, row.version + 1
        if row.options:
            row.save()
        else:
            row.delete()
    logger.info("%s configured %r: %s", actor, pattern, dict(options))
    return row


def save_if(name: str, options: Mapping[str, Any], *, actor: str, before: Collection[str]) -> None:
    """Give options to one circuit if those it has by now are among these, by their digests.

    Raises CircuitChanged too, having changed nothing.
    """
    from .models import BreakerConfig

    pattern = patterns.literal(name)
    with transaction.atomic(using=router.db_for_write(BreakerConfig)):
        # Two that found the same may not both go on.
        _held(pattern)
        found = Overlay(overlay.sound(row for row in rows.configurations() if row[1])).of(name)
        if tags.digest(found) not in before:
            raise CircuitChanged(name)
        save(pattern, options, actor=actor)


def _held(pattern: str) -> "BreakerConfig":
    from .models import BreakerConfig

    row, _ = BreakerConfig.objects.select_for_update().get_or_create(
        pattern=pattern, defaults={"version": 0}
    )
    return row


def rehearse(pattern: str, options: Mapping[str, Any]) -> None:
    """Raises what ``save`` would raise for these, as things are now."""
    from .models import BreakerConfig

    patterns.check(pattern)
    row = BreakerConfig.objects.filter(pattern=pattern).first()
    check(pattern, _joined(row.given if row else {}, options))


def remove(pattern: str, *, actor: str) -> None:
    """Raises ConfigUnknown."""
    from .models import BreakerConfig

    if not BreakerConfig.objects.filter(pattern=pattern).delete()[0]:
        raise ConfigUnknown(pattern)
    logger.info("%s removed the configuration of %r", actor, pattern)


def rows_of(pattern: str | None) -> "list[BreakerConfig]":
    """That of a pattern, or, of None, all; raises ConfigUnknown."""
    from .models import BreakerConfig

    if pattern is None:
        return list(BreakerConfig.objects.all())
    found = list(BreakerConfig.objects.filter(pattern=pattern))
    if not found:
        raise ConfigUnknown(pattern)
    return found


def check(pattern: str, options: Mapping[str, Any]) -> None:
    """Raises ConfigInvalid if circuits could not work with these options for the pattern.

    Options that clash with others are found for the circuits in the code of any process. What
    other rows say is no concern, unless they were sound until now.
    """
    patterns.check(pattern)
    try:
        check_values(options)
    except PolicyError as error:
        raise ConfigInvalid(str(error)) from error
    others = [*overlay.sound(row for row in rows.configurations() if row[0] != pattern)]
    before, after = Overlay(others), Overlay([*others, (pattern, options)])
    for name, policy in _policies(pattern):
        clashes = after.clashes(name, policy)
        for culprit in clashes.keys() - before.clashes(name, policy).keys():
            raise ConfigInvalid(f"{name!r} could not work with this: {clashes[culprit]}")


def unmatched(names: Iterable[str]) -> list[str]:
    """The patterns that none of the names match."""
    names = list(names)
    found = [pattern for pattern, _ in rows.configurations()]
    return [one for one in found if not any(patterns.matches(one, name) for name in names)]


def announce() -> None:
    """Let every process read the rows again; one that cannot be told does so within a minute."""
    if shared := link.shared():
        try:
            shared.announce_configuration()
        except redis.RedisError as error:
            logger.warning("Other processes learn late of a new configuration: %s", error)
    agent.reconfigure()


def connect() -> None:
    for signal in (post_save, post_delete):
        signal.connect(_changed, sender="breaker.BreakerConfig", dispatch_uid="breaker.configs")


def _changed(using: str, **_: object) -> None:
    transaction.on_commit(announce, using=using, robust=True)


def _joined(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    for name in given.keys() - before.keys() - POLICY_KEYS:
        raise ConfigInvalid(f"A policy has no option {name!r}.")
    removed = {name for name, value in given.items() if value is None}
    kept = {name: before[name] for name in before.keys() & POLICY_KEYS}
    return {name: value for name, value in {**kept, **given}.items() if name not in removed}


def _policies(pattern: str) -> Iterable[tuple[str, Policy]]:
    """What the code says of the circuits that the pattern matches, or of one of its name."""
    names = {name for name in coded.all_names() if patterns.matches(pattern, name)}
    found = coded.options_of(sorted(names or {pattern})).items()
    return [(name, conf().policy_with(options)) for name, options in found]
