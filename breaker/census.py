"""All circuits, for who looks again and again: without asking for each of them each time."""

from collections.abc import Callable
from dataclasses import replace
from time import monotonic

import redis

from . import control
from .link import link
from .status import CircuitStatus

PATIENCE = 10.0
"""Seconds after which all are read again, for their counts, though none has moved."""


class Census:
    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._version: object = None
        self._taken = 0.0
        self._found: list[CircuitStatus] = []

    def circuits(self) -> list[CircuitStatus]:
        """As ``control.circuits``; their counts may be ten seconds old, their states are not."""
        version, age = _version(), self._clock() - self._taken
        if version is None or version != self._version or age >= PATIENCE:
            self._found = control.circuits()
            self._version, self._taken = version, self._clock()
            return self._found
        return [_older(one, age) for one in self._found]


def _version() -> object:
    """Another one after each transition of the fleet; None while the store is out of reach."""
    if link.up and (shared := link.shared()):
        try:
            return shared.version()
        except redis.RedisError as error:
            link.lost(error)
    return None


def _older(found: CircuitStatus, age: float) -> CircuitStatus:
    ends = found.override_ends_in
    return replace(
        found,
        retry_after=max(found.retry_after - age, 0.0),
        override_ends_in=max(ends - age, 0.001) if ends else ends,
    )
