"""Calls that a process has counted and the store has not heard of yet."""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import repeat
from operator import length_hint
from typing import NamedTuple

from .classify import Outcome
from .store import NO_REPORT, Report
from .window import NOTHING, ONE, Tally

MANY = 1000
"""Successes that should not wait any longer."""

NO_TICKS = repeat(None, 0)


class Entry(NamedTuple):
    """An end, and the successes after it for which ticks were laid out."""

    outcome: Outcome
    report: Report = NO_REPORT
    ticks: "repeat[None]" = NO_TICKS
    supply: int = 0

    def tally(self) -> Tally:
        """Nobody gets a tick any more after this."""
        return ONE[self.outcome] + Tally(ok=self.supply - len(list(self.ticks)))


class Counts:
    """Those of one epoch; they vanish with it.

    Taking the ``next`` of ``ticks`` is atomic and the fastest counter there is: callers take one
    for each success, and whoever writes takes those that are left. A caller who finds none asks
    for more with ``refill``, and that happens at the first success after a write and at the
    ``MANY``th: the moments to tell the agent.

    There is no lock, because the garbage collector may end an abandoned call at any point of
    another, in the same thread.
    """

    __slots__ = ("_entries", "process", "ticks")

    def __init__(self) -> None:
        self.process = os.getpid()
        self.ticks = NO_TICKS
        self._entries: deque[Entry] = deque()

    @property
    def waiting(self) -> int:
        """Roughly how many calls there are to write."""
        return sum(1 + entry.supply - length_hint(entry.ticks) for entry in self._entries.copy())

    def refill(self) -> None:
        """Count a success that found no tick."""
        entry = Entry(Outcome.OK, ticks=repeat(None, MANY - 2), supply=MANY - 2)
        self._entries.append(entry)
        self.ticks = entry.ticks

    def add(self, outcome: Outcome, report: Report) -> None:
        """A call that ended otherwise than ok, after the successes before it."""
        self._entries.append(Entry(outcome, report))
        self.ticks = NO_TICKS

    def take(self) -> tuple[Tally, Report]:
        tally, report = NOTHING, NO_REPORT
        for entry in self._taken():
            tally += entry.tally()
            wait = max(report.retry_after, entry.report.retry_after)
            report = Report(wait, entry.report.error or report.error)
        return tally, report

    def _taken(self) -> Iterator[Entry]:
        with suppress(IndexError):
            while True:
                yield self._entries.popleft()


def cut(counts: list[None]) -> int:
    """Take what is there; an append that comes in between stays for the next time."""
    seen = len(counts)
    del counts[:seen]
    return seen
