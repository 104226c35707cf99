"""Labels whose values come from callers: so many get series of their own, the rest share one.

Processes that share their counters share these values too, or each would choose others, and the
sums would collect them all. One file keeps them in the order they came: who has a new one appends
it and looks whether it is among the first. So all find the same, and nobody waits for a lock.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from threading import Lock
from urllib.parse import quote, unquote

from prometheus_client import Counter

from . import counters

OTHER = "other"
DROPPED = Counter(
    "app_metric_series_dropped", "Label values that were counted as other.", ["metric"]
)


class Bounded:
    """The values of one label; ``metric`` is the common beginning of the names that bear it."""

    def __init__(self, metric: str, most: int) -> None:
        self.metric = metric
        self.most = most
        self._admitted: frozenset[str] = frozenset()
        self._lock = Lock()
        DROPPED.labels(metric)

    def __call__(self, value: str) -> str:
        if value in self._admitted:
            return value
        if len(self._admitted) < self.most:
            self._admit(value)
        if value in self._admitted:
            return value
        DROPPED.labels(self.metric).inc()
        return OTHER

    def _admit(self, value: str) -> None:
        with self._lock:
            if directory := counters.directory():
                with suppress(OSError):  # a full disk, too, must not disturb who only counts
                    self._admitted = self._shared(directory / "labels", value)
            elif len(self._admitted) < self.most:
                self._admitted |= {value}

    def _shared(self, file: Path, value: str) -> frozenset[str]:
        admitted = self._first(file)
        if value in admitted or len(admitted) == self.most:
            return admitted
        with file.open("a") as end:
            end.write(f"{self.metric} {quote(value)}\n")
        return self._first(file)

    def _first(self, file: Path) -> frozenset[str]:
        with file.open("a+") as lines:
            lines.seek(0)
            return frozenset(islice(dict.fromkeys(self._mine(lines)), self.most))

    def _mine(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            metric, _, value = line.rstrip("\n").partition(" ")
            if metric == self.metric:
                yield unquote(value)
