"""Calls that a process has counted and the store has not heard of yet."""

import threading

from .classify import Outcome
from .store import NO_REPORT, Report
from .window import NOTHING, ONE, Tally


class Counts:
    """Those of one epoch; they vanish with it.

    ``oks`` is a list because its append is atomic and the fastest counter there is: callers
    append, whoever writes cuts off what it has seen.
    """

    __slots__ = ("_lock", "_report", "_tally", "oks")

    def __init__(self) -> None:
        self.oks: list[None] = []
        self._lock = threading.Lock()
        self._tally, self._report = NOTHING, NO_REPORT

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
        return Tally(ok=cut(self.oks))


def cut(counts: list[None]) -> int:
    """Take what is there; an append that comes in between stays for the next time."""
    seen = len(counts)
    del counts[:seen]
    return seen
