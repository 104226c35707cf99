"""What code says of circuits: that of this process or, where it says nothing, of others."""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

import redis

from . import registry
from .breaker import Breaker
from .conf import POLICY_KEYS, conf
from .errors import PolicyError
from .link import link
from .options import check_values
from .overlay import current
from .policy import Policy

Options = Mapping[str, Any]


def policies(names: Iterable[str]) -> dict[str, Policy]:
    """The options in force, of setting, code and configuration."""
    overlay = current.overlay
    found = options_of(names).items()
    return {name: overlay.policy(name, conf().policy_with(options)) for name, options in found}


def options_of(names: Iterable[str]) -> dict[str, Options]:
    """Those in code, none where nobody told of any; at most one trip."""
    own = {name: registry.options_of(name) for name in names}
    told = _told([name for name, options in own.items() if options is None])
    return {name: told.get(name, {}) if found is None else found for name, found in own.items()}


def borrowed(name: str) -> Breaker:
    """The one of that name, or one with the options of others that ends with its asker."""
    breaker = registry.borrowed(name)
    if not registry.known(breaker.name):
        breaker.replica.options = dict(options_of([breaker.name])[breaker.name])
    return breaker


def all_names() -> list[str]:
    """All that can be known of by now, without asking the database."""
    own = [one.name for one in registry.breakers()]
    if link.up and (shared := link.shared()):
        try:
            return [*own, *chain(*shared.catalogue.lists())]
        except redis.RedisError as error:
            link.lost(error)
    return own


def _told(names: list[str]) -> dict[str, Options]:
    if not names or not link.up or (shared := link.shared()) is None:
        return {}
    try:
        found = shared.catalogue.options(names)
    except redis.RedisError as error:
        link.lost(error)
        return {}
    told = zip(names, map(_sound, found), strict=True)
    return {name: options for name, options in told if options}


def _sound(raw: Any) -> Options:
    """Without what another release may know and this one does not; none if they cannot be."""
    if not isinstance(raw, Mapping):
        return {}
    options = {name: value for name, value in raw.items() if name in POLICY_KEYS}
    try:
        check_values(options)
        conf().policy_with(options)
    except (PolicyError, TypeError):
        return {}
    return options
