"""Calls that a process has counted and the store has not heard of yet."""

import threading
from itertools import repeat
from operator import length_hint

from .classify import Outcome
from .store import NO_REPORT, Report
from .window import NOTHING, ONE, Tally

MANY = 1000
"""Successes that should not wait any longer."""


class Counts:
    """Those of one epoch; they vanish with it.

    Taking the ``next`` of ``ticks`` is atomic and the fastest counter there is: callers take one
    for each success, and whoever writes takes those that are left. A caller who finds none asks
    for more with ``refill``, and that happens at the first success after a write and at the
    ``MANY``th: the moments to tell the agent.
    """

    __slots__ = ("_lock", "_report", "_supply", "_tally", "ticks")

    def __init__(self) -> None:
        self.ticks = repeat(None, 0)
        self._supply = 0
        self._lock = threading.Lock()
        self._tally, self._report = NOTHING, NO_REPORT

    @property
    def waiting(self) -> int:
        """Roughly how many calls there are to write."""
        return self._tally.calls + self._supply - length_hint(self.ticks)

    def refill(self) -> None:
        """Count a success that found no tick."""
        with self._lock:
            self._tally = self._tally + self._oks() + ONE[Outcome.OK]
            self._supply = MANY - 2
            self.ticks = repeat(None, self._supply)

    def add(self, outcome: Outcome, report: Report) -> None:
        """A call that ended otherwise than ok, after the successes before it."""
        with self._lock:
            self._tally = self._tally + self._oks() + ONE[outcome]
            wait = max(self._report.retry_after, report.retry_after)
            self._report = Report(wait, report.error or self._report.error)

    def take(self) -> tuple[Tally, Report]:
        with self._lock:
            taken = self._tally + self._oks(), self._report
            self._tally, self._report = NOTHING, NO_REPORT
            return taken

    def _oks(self) -> Tally:
        """The ticks that are gone; nobody can take one of the others any more."""
        supply, self._supply = self._supply, 0
        return Tally(ok=supply - len(list(self.ticks)))


def cut(counts: list[None]) -> int:
    """Take what is there; an append that comes in between stays for the next time."""
    seen = len(counts)
    del counts[:seen]
    return seen
