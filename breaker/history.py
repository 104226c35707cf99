"""Transitions on their way to listeners and to the database, and memories on the way back.

A thread of its own does this while there is something to do: a database that is slow, locked or
down must delay neither a caller nor the agent, and its connection is closed when all is done.
Nothing is written inside a caller's transaction, whose rollback would erase it.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable

from django.db import DataError, connections

from . import rows
from .change import Change
from .conf import conf
from .seed import Seed
from .signals import circuit_changed
from .threads import started

logger = logging.getLogger(__name__)

LONGEST_QUEUE = 1000
PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)
Sow = Callable[[Seed], None]
Errand = Callable[[], None]


class History:
    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._news: deque[Change] = deque(maxlen=LONGEST_QUEUE)
        self._unwritten: deque[Change] = deque(maxlen=LONGEST_QUEUE)
        self._doubtful: deque[Change] = deque(maxlen=LONGEST_QUEUE)
        self._wanted: dict[str, Errand] = {}
        self._shift: object = None
        """Stands for the thread at work, if there is one."""
        self._idle = threading.Condition()

    def note(self, change: Change) -> None:
        """Announce a transition, and write it down."""
        self._news.append(change)
        if conf().history:
            self._unwritten.append(change)
        self._wake()

    def confirm(self, change: Change) -> None:
        """Write down a transition that another process made, unless it has done so itself."""
        if conf().history:
            self._doubtful.append(change)
            self._wake()

    def recall(self, name: str, sow: Sow) -> None:
        """Hand to ``sow`` what the database knows of an open circuit the store has not heard of."""
        self.read(f"circuit {name}", lambda: _look_up(name, sow))

    def read(self, subject: str, errand: Errand) -> None:
        """Do an errand as soon as the database can be reached; the latest one for its subject."""
        if conf().history and (len(self._wanted) < LONGEST_QUEUE or subject in self._wanted):
            self._wanted[subject] = errand
            self._wake()

    def drain(self, timeout: float) -> bool:
        """Wait until nothing is left to do, at most ``timeout`` seconds."""
        with self._idle:
            return self._idle.wait_for(lambda: self._shift is None, timeout) and not self._queued()

    def _wake(self) -> None:
        with self._idle:
            self._idle.notify_all()
            if self._shift is not None:
                return
            self._shift = shift = object()
        # Not within the lock, because the new thread may collect a call that has news, too.
        if not started(lambda: self._run(shift), "breaker-history"):
            self._leave(shift)

    def _leave(self, shift: object) -> None:
        with self._idle:
            if self._shift is shift:
                self._shift = None
                self._idle.notify_all()

    def _run(self, shift: object) -> None:
        try:
            self._work_off(shift)
        finally:
            self._leave(shift)

    def _work_off(self, shift: object) -> None:
        failures = 0
        while self._has_work(shift):
            try:
                self._work()
                failures = 0
            except Exception as error:
                # Whatever the database does, transitions wait here for better times.
                logger.warning("Cannot reach the rows of circuits, trying again: %r", error)
                self._pause(PAUSES[min(failures, len(PAUSES) - 1)])
                failures += 1

    def _has_work(self, shift: object) -> bool:
        """Whether there is more to do; if not, this thread's time is over."""
        if not self._queued():
            connections.close_all()
        with self._idle:
            if self._shift is shift and self._queued():
                return True
            self._leave(shift)
            return False

    def _queued(self) -> bool:
        return bool(self._news or self._unwritten or self._doubtful or self._wanted)

    def _pause(self, seconds: float) -> None:
        connections.close_all()
        with self._idle:
            self._idle.wait_for(lambda: self._news, seconds)

    def _work(self) -> None:
        while self._news:
            circuit_changed.send_robust(sender=Change, change=self._news.popleft())
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


history = History()
