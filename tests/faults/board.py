"""What all processes see at once: whether it is over, and how many grants each has had.

A shared mapping, because a killed process cannot leave it locked.
"""

import mmap
import struct
from collections.abc import Callable
from itertools import count
from pathlib import Path

NUMBER = struct.Struct("q")
ROOM = 16 * mmap.PAGESIZE


class Board:
    """Number 0 is the sign that it is over, the others belong to processes."""

    def __init__(self, path: Path) -> None:
        with path.open("ab") as file:
            file.truncate(ROOM)
        with path.open("rb+") as file:
            self._map = mmap.mmap(file.fileno(), ROOM)

    @property
    def over(self) -> bool:
        return self._map[0] == 1

    def end(self) -> None:
        self._map[0] = 1

    def counter(self, process: int) -> Callable[[], None]:
        numbers = count(1)
        return lambda: NUMBER.pack_into(self._map, process * NUMBER.size, next(numbers))

    @property
    def total(self) -> int:
        return sum(number for (number,) in NUMBER.iter_unpack(self._map[NUMBER.size :]))
