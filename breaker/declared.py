"""The circuits in the code of this process, and what of them the store has been told.

Nothing here takes a lock: the garbage collector may end an abandoned call, of any circuit, within.
"""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import redis

from .catalogue import Declaration
from .link import link

if TYPE_CHECKING:
    from .replica import Replica

logger = logging.getLogger(__name__)


class Circuit(NamedTuple):
    replica: "Replica"
    standing: bool
    """Whether its name stands in code, and was not made per call."""


class Declared:
    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._circuits: dict[str, Circuit] = {}
        self._untold: set[str] = set()
        self._born: bytes | str | None = None
        """When the namespace that was told came to be."""
        self._refused = False

    def add(self, replica: "Replica", *, standing: bool) -> None:
        self._circuits[replica.name] = Circuit(replica, standing)
        self._untold.add(replica.name)

    def remove(self, replica: "Replica") -> None:
        """It is not of this process any more; another of its name may be."""
        found = self._circuits.get(replica.name)
        if found and found.replica is replica:
            self._circuits.pop(replica.name, None)

    def names(self) -> set[str]:
        """Those that stand in code."""
        return {name for name, circuit in self._circuits.copy().items() if circuit.standing}

    def doubt(self, name: str) -> None:
        """The store may know nothing of it, or something else."""
        if name in self._circuits:
            self._untold.add(name)

    def compare(self, born: bytes | str | None) -> None:
        """A store that has lost its data is another one, and was told nothing."""
        if born != self._born:
            self._born = born
            self._untold.update(self._circuits.copy())

    def doubt_standing(self) -> None:
        """So that the store sees that they are still in use."""
        self._untold.update(self.names())

    def tell(self) -> None:
        """Tell the store what it has not been told, if it can be reached."""
        if not self._untold or not link.up or (shared := link.shared()) is None:
            return
        names = list(self._taken())
        try:
            self._born = shared.catalogue.tell(self._declarations(names)) or self._born
            self._refused = False
        except redis.ResponseError as error:
            # It is told again in an hour at the latest.
            if not self._refused:
                logger.warning("Others cannot know the options in the code here: %s", error)
            self._refused = True
        except redis.RedisError as error:
            self._untold.update(names)
            link.lost(error)

    def _taken(self) -> Iterator[str]:
        while self._untold:
            yield self._untold.pop()

    def _declarations(self, names: list[str]) -> Iterator[Declaration]:
        for name in names:
            if circuit := self._circuits.get(name):
                replica, standing = circuit
                yield Declaration(name, replica.options if replica.said else None, standing)


declared = Declared()
