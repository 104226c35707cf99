"""The breakers of this process, by name."""

from typing import Unpack

from .breaker import Breaker
from .names import canonical
from .options import Options

_breakers: dict[str, Breaker] = {}


def get_breaker(name: str, **options: Unpack[Options]) -> Breaker:
    """The one breaker of that name; options, if given, replace those given before.

    Raises CircuitNameError and PolicyError.
    """
    breaker = _breakers.get(name)
    if breaker is None:
        # Two threads may both make one; all get the one that came first.
        breaker = _breakers.setdefault(canonical(name), Breaker(name))
    if options and options != breaker.options:
        breaker.configure(options)
    return breaker


def keyed_breaker(name: str, options: Options) -> Breaker:
    """``get_breaker`` for names made per call: the options are read at the first one only."""
    return _breakers.get(name) or get_breaker(name, **options)


def known(name: str) -> bool:
    """Whether this process has a circuit of that name."""
    return name in _breakers
