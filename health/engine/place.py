"""What the processes of one host have in common, and what a process alone has instead."""

from collections.abc import Iterable
from typing import Protocol

from .record import Publication


class Place(Protocol):
    def leads(self) -> bool:
        """Whether this process leads, which it does once nobody else is in the way."""
        ...

    def publish(self, publication: Publication) -> None: ...

    def latest(self) -> Publication | None:
        """The newest publication to believe; the same object as long as there is no newer one."""
        ...

    def call(self, names: Iterable[str]) -> None:
        """Ask who leads to look at these services now."""
        ...

    @property
    def ear(self) -> int | None:
        """What can be read when somebody has called."""
        ...

    def calls(self) -> set[str]: ...

    def leave(self) -> None: ...

    def anew(self) -> "Place":
        """For another scheduler of this process."""
        ...


class Alone:
    """Of a process that meets nobody: it probes for itself."""

    def leads(self) -> bool:
        return True

    def publish(self, publication: Publication) -> None:
        pass

    def latest(self) -> Publication | None:
        return None

    def call(self, names: Iterable[str]) -> None:
        pass

    @property
    def ear(self) -> int | None:
        return None

    def calls(self) -> set[str]:
        return set()

    def leave(self) -> None:
        pass

    def anew(self) -> Place:
        return self
