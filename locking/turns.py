"""Who reads a connection from which several hear: one at a time, and it wakes the others.

A thread that waits anyway had better be the one that reads: to be woken by another takes longer
than all that the two have to do. So the thread that the connection belongs to, its owner, only
reads while no other does.
"""

import threading
from typing import Protocol

# Seconds for which the owner does not begin to read after somebody stopped: whoever wants a lock
# again soon then finds the place free. And after which it looks whether it should, in any case.
LINGER, LONGEST = 0.02, 5.0


class Reader(Protocol):
    """The place of a thread that waits; ``ring`` has it look around."""

    @property
    def woken(self) -> bool: ...

    def ring(self) -> None: ...


class Turns:
    """The owner begins.

    No wake-up gets lost: whoever leaves the connection to nobody learns under the mutex whether
    the owner is asleep, and the owner falls asleep under the mutex, when somebody reads.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._reader: Reader | None = None
        self._others: dict[Reader, None] = {}
        self._owner_reads = True
        self._owner_asked = self._owner_asleep = False
        self._just_left = False

    def claim(self, place: Reader) -> bool:
        """Whether it is to read; else it is rung when it is to, unless it leaves before."""
        with self._mutex:
            if self._reader is None and not self._owner_reads:
                self._reader = place
            if self._reader is not place:
                self._others[place] = None
            return self._reader is place

    def ask(self) -> bool:
        """Whether the owner reads, and nobody has interrupted it yet."""
        with self._mutex:
            first = self._owner_reads and not self._owner_asked
            self._owner_asked = self._owner_asked or first
            return first

    def leave(self, place: Reader, *, linger: bool) -> bool:
        """Whether the owner has to be woken, because nobody reads from now on."""
        with self._mutex:
            self._others.pop(place, None)
            if self._reader is not place:
                return False
            self._reader = self._successor()
            self._just_left = linger
            return self._reader is None and (self._owner_asleep or not linger)

    def hurry(self) -> bool:
        """Whether nobody reads, not even the owner, who has to be woken."""
        with self._mutex:
            self._just_left = False
            return self._reader is None and not self._owner_reads

    def fail(self, place: Reader) -> None:
        """What it read last ends the connection: that is for the owner."""
        with self._mutex:
            if self._reader is place:
                self._reader, self._owner_reads = None, True

    def give_way(self) -> None:
        """By the owner, between two readings."""
        with self._mutex:
            self._owner_asked = False
            self._reader = self._successor()
            self._owner_reads = self._reader is None

    def look(self) -> float:
        """For how long the owner may rest; it has to read when that is no time at all."""
        with self._mutex:
            self._owner_asleep = False
            if self._owner_reads:
                return 0.0
            if self._just_left:
                self._just_left = False
                return LINGER
            self._owner_reads = self._reader is None
            self._owner_asleep = not self._owner_reads
            return LONGEST if self._owner_asleep else 0.0

    def _successor(self) -> Reader | None:
        """Whoever came first, and still waits."""
        while self._others:
            place = next(iter(self._others))
            del self._others[place]
            if not place.woken:
                place.ring()
                return place
        return None
