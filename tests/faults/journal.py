"""What a process did, line by line, in a file that outlives its SIGKILL.

Slots of a shared mapping: one store per record and no system call, so recording hardly changes
what is recorded, and threads need no mutex (the counter is atomic under the interpreter's lock).
"""

import itertools
import mmap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SLOT = 96
ROOM = 400_000
# More of a process's threads than this never write at once.
THREADS = 64


class Record(NamedTuple):
    """``at`` and all times in ``values`` are nanoseconds of CLOCK_BOOTTIME."""

    process: str
    at: int
    kind: str
    operation: int
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.at:>16} {self.process:<8} #{self.operation:<6} {self.kind:<8} " + " ".join(
            self.values
        )


def now() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Journal:
    def __init__(self, path: Path) -> None:
        with path.open("wb+") as file:
            file.truncate(SLOT * ROOM)  # a hole, which takes no room on the disk until written
            self._slots = mmap.mmap(file.fileno(), SLOT * ROOM)
        self._next = itertools.count()

    def note(self, kind: str, operation: int, *values: object, at: int | None = None) -> None:
        line = " ".join(map(str, (now() if at is None else at, kind, operation, *values)))
        start = next(self._next) * SLOT
        self._slots[start : start + SLOT] = line.encode()[: SLOT - 1].ljust(SLOT - 1) + b"\n"


def read(path: Path) -> Iterator[Record]:
    """A record that SIGKILL cut in two, or between its number and its text, has not happened."""
    empty = 0
    with path.open("rb") as file:
        while empty < THREADS:
            slot = file.read(SLOT)
            if slot.endswith(b"\n") and b"\0" not in slot:
                at, kind, operation, *values = slot.decode().split()
                yield Record(path.stem, int(at), kind, int(operation), tuple(values))
            else:
                empty += 1


def read_all(directory: Path) -> list[Record]:
    """In the order of time."""
    records = (record for path in directory.glob("*.log") for record in read(path))
    return sorted(records, key=lambda record: record.at)
