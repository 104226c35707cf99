"""What all processes have counted, those too that have ended.

With ``PROMETHEUS_MULTIPROC_DIR`` set, prometheus_client writes the counters of each process to
files of its own and adds them up at a scrape. It keeps the files of the dead for ever, because
without them the sums would fall: a server that renews its workers gathers them by the thousand.
Here one file takes their place. Names tell what counts, so a reader waits for no lock that a
stopped process may hold:

    counter_71.db          what process 71 counts
    counter_ended-4-9.db   what a process counted that has ended, to be part of the fourth sum
    counter_sum-3.db       the third sum; the fourth stands for it and for all that is ended-4

A sum appears by one rename. Whoever dies before or after it leaves files that add up to the same.
"""

import fcntl
import logging
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

from prometheus_client.core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

logger = logging.getLogger(__name__)

NAME = re.compile(
    r"(?P<kind>counter|histogram|summary|gauge_[a-z]+)_"
    r"(?:(?P<pid>\d+)|sum-(?P<sum>\d+)|ended-(?P<ended>\d+)-\d+)\.db"
)
# Processes begin and end rarely, so the second reading is as good as certain to be undisturbed.
READINGS = 20

# A value, and its time where that matters.
Entry = tuple[float, float]
# Gauges that a process sets for itself alone: they end with it.
OWN = re.compile(r"gauge_(all|live[a-z]*)")


def _later(one: Entry, other: Entry) -> Entry:
    return max(one, other, key=lambda entry: entry[1])


def _added(one: Entry, other: Entry) -> Entry:
    return one[0] + other[0], 0.0


JOINED: dict[str, Callable[[Entry, Entry], Entry]] = {
    "gauge_max": max,
    "gauge_min": min,
    "gauge_mostrecent": _later,
}


def directory() -> Path | None:
    """Where the processes of a server share what they count, if they do."""
    path = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(path) if path else None


class SharedCounters:
    """Collector of the sums over all processes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def collect(self) -> Iterator[Metric]:
        metrics: list[Metric] = []
        for _ in range(READINGS):
            with suppress(FileNotFoundError):  # moved before it was opened
                found = shelves(self.directory)
                files = [str(path) for shelf in found for path in shelf.counted]
                metrics = list(MultiProcessCollector.merge(files))  # type: ignore[no-untyped-call]
                if found == shelves(self.directory):
                    break
        yield from metrics


@dataclass(slots=True)
class Shelf:
    """The files of one kind of metric."""

    kind: str
    running: dict[int, Path] = field(default_factory=dict)
    ended: dict[Path, int] = field(default_factory=dict)
    sums: dict[int, Path] = field(default_factory=dict)

    @property
    def newest(self) -> int:
        return max(self.sums, default=0)

    @property
    def sum(self) -> list[Path]:
        return [path for number, path in self.sums.items() if number == self.newest]

    @property
    def waiting(self) -> list[Path]:
        return [path for path, number in self.ended.items() if number > self.newest]

    @property
    def counted(self) -> list[Path]:
        return [*self.running.values(), *self.waiting, *self.sum]

    @property
    def spent(self) -> list[Path]:
        return [path for path in (*self.ended, *self.sums.values()) if path not in self.counted]


def shelves(directory: Path) -> list[Shelf]:
    found: dict[str, Shelf] = {}
    for path in sorted(directory.glob("*.db")):
        # A file is empty for a moment when a process has just made it.
        if (name := NAME.fullmatch(path.name)) and path.stat().st_size:
            shelf = found.setdefault(name["kind"], Shelf(name["kind"]))
            if name["pid"]:
                shelf.running[int(name["pid"])] = path
            elif name["sum"]:
                shelf.sums[int(name["sum"])] = path
            else:
                shelf.ended[path] = int(name["ended"])
    return list(found.values())


def tidy(directory: Path) -> None:
    """Put what ended processes counted into one file, unless another process is at it."""
    try:
        with _alone(directory) as alone:
            for shelf in shelves(directory) if alone else ():
                _tidy(shelf, directory)
    except OSError:
        # They count where they are, too.
        logger.warning("files of ended processes are left in %s", directory, exc_info=True)


@contextmanager
def _alone(directory: Path) -> Iterator[bool]:
    with (directory / "tidying").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _tidy(shelf: Shelf, directory: Path) -> None:
    _remove(shelf.spent)
    gone = [path for pid, path in shelf.running.items() if not _runs(pid)]
    if OWN.fullmatch(shelf.kind):
        _remove(gone)
        return
    number = shelf.newest + 1
    for path in gone:
        # Out of the way of a new process with the old number. That of the file is nobody else's.
        name = f"{shelf.kind}_ended-{number}-{path.stat().st_ino}.db"
        shelf.ended[path.rename(directory / name)] = number
    if shelf.waiting:
        parts = [*shelf.waiting, *shelf.sum]
        _write(directory / f"{shelf.kind}_sum-{number}", _entries(parts, shelf.kind))
        _remove(parts)


def _remove(files: Iterable[Path]) -> None:
    for path in files:
        path.unlink()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _entries(files: Iterable[Path], kind: str) -> dict[str, Entry]:
    found: defaultdict[str, list[Entry]] = defaultdict(list)
    for path in files:
        for key, value, time, _ in MmapedDict.read_all_values_from_file(path):  # type: ignore[no-untyped-call]
            found[key].append((value, time))
    join = JOINED.get(kind, _added)
    return {key: reduce(join, entries) for key, entries in found.items()}


def _write(path: Path, entries: dict[str, Entry]) -> None:
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    file = MmapedDict(str(draft))  # type: ignore[no-untyped-call]
    for key, (value, time) in entries.items():
        file.write_value(key, value, time)  # type: ignore[no-untyped-call]
    file.close()  # type: ignore[no-untyped-call]
    draft.rename(path.with_suffix(".db"))
