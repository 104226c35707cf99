"""Transitions on their way to listeners and to the database, and memories on the way back.

Threads of their own do this while there is something to do: a database that is slow, locked or
down must delay neither a caller nor the agent nor a listener, a listener that hangs no row. Their
connections are closed when all is done.
Nothing is written inside a caller's transaction, whose rollback would erase it.
"""

import logging
from collections import deque
from collections.abc import Callable
from time import monotonic

from django.db import DataError, connections

from . import rows
from .change import Change
from .conf import conf
from .seed import Seed
from .signals import circuit_changed
from .worker import Worker

logger = logging.getLogger(__name__)

LONGEST_QUEUE = 1000
PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)
Sow = Callable[[Seed], None]
Errand = Callable[[], None]


class News(Worker):
    """Transitions on their way to listeners, which may hang: no row waits for them."""

    def forget(self) -> None:
        super().forget()
        self._changes: deque[Change] = deque(maxlen=LONGEST_QUEUE)

    def announce(self, change: Change) -> None:
        self._changes.append(change)
        self.wake()

    def queued(self) -> bool:
        return bool(self._changes)

    def work(self) -> None:
        circuit_changed.send_robust(sender=Change, change=self._changes.popleft())


class History(Worker):
    def forget(self) -> None:
        super().forget()
        self._news = News("breaker-news")
        self._unwritten: deque[Change] = deque(maxlen=LONGEST_QUEUE)
        self._doubtful: deque[Change] = deque(maxlen=LONGEST_QUEUE)
        self._wanted: dict[str, Errand] = {}
        self._failures = 0

    def note(self, change: Change) -> None:
        """Announce a transition, and write it down."""
        if conf().history:
            self._unwritten.append(change)
            self.wake()
        self._news.announce(change)

    def confirm(self, change: Change) -> None:
        """Write down a transition that another process made, unless it has done so itself."""
        if conf().history:
            self._doubtful.append(change)
            self.wake()

    def recall(self, name: str, sow: Sow) -> None:
        """Hand to ``sow`` what the database knows of an open circuit the store has not heard of."""
        self.read(f"circuit {name}", lambda: _look_up(name, sow))

    def read(self, subject: str, errand: Errand) -> None:
        """Do an errand as soon as the database can be reached; the latest one for its subject."""
        if conf().history and (len(self._wanted) < LONGEST_QUEUE or subject in self._wanted):
            self._wanted[subject] = errand
            self.wake()

    def drain(self, timeout: float) -> bool:
        until = monotonic() + timeout
        written = super().drain(timeout)
        return self._news.drain(max(until - monotonic(), 0)) and written

    def queued(self) -> bool:
        return bool(self._unwritten or self._doubtful or self._wanted)

    def work(self) -> None:
        try:
            self._work()
            self._failures = 0
        except Exception as error:
            # Whatever the database does, transitions wait here for better times.
            logger.warning("Cannot reach the rows of circuits, trying again: %r", error)
            self._pause(PAUSES[min(self._failures, len(PAUSES) - 1)])
            self._failures += 1

    def _pause(self, seconds: float) -> None:
        connections.close_all()
        with self._idle:
            known = len(self._unwritten)
            self._idle.wait_for(lambda: len(self._unwritten) > known, seconds)

    def _work(self) -> None:
        while self._unwritten:
            self._write(self._unwritten)
        while self._doubtful:
            self._write(self._doubtful, unless=rows.is_written)
        while self._wanted:
            for subject in list(self._wanted):
                self._read(subject)

    def _write(
        self, queue: deque[Change], *, unless: Callable[[Change], bool] = lambda change: False
    ) -> None:
        change = queue.popleft()
        try:
            if not unless(change):
                rows.write(change)
        except DataError:
            logger.exception("A transition of %s does not fit its row", change.name)
        except Exception:
            queue.appendleft(change)
            raise

    def _read(self, subject: str) -> None:
        errand = self._wanted.pop(subject)
        try:
            errand()
        except Exception:
            # To the end of the queue: one that never succeeds must not keep the others waiting.
            self._wanted.setdefault(subject, errand)
            raise


def _look_up(name: str, sow: Sow) -> None:
    if seed := rows.remembered(name):
        sow(seed)


history = History("breaker-history")
