"""Grants and releases, noted for whoever counts them.

To tell the receivers of a signal takes longer than a lock should; to append to a deque does not.
What was noted is posted by a thread, which the first entry starts.
"""

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress

logger = logging.getLogger(__name__)

PERIOD = 1.0
# So many at a time, and others have their turn: no lock must wait while the others are counted.
SLICE = 500
# What nobody posts in time is dropped, the oldest first.
MOST_ENTRIES = 100_000
# What is counted; seconds in line, told at the grant; seconds held, told at the release.
Entry = tuple[str, float, float | None]
Book = Callable[[list[Entry]], None]


class Ledger:
    def __init__(self) -> None:
        self.book: Book | None = None
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """A child has nothing to post of its parent's."""
        self._entries: deque[Entry] = deque(maxlen=MOST_ENTRIES)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def granted(self, label: str, waited: float) -> None:
        if self.book:
            self._entries.append((label, waited, None))
            if self._thread is None:
                self._start()

    def released(self, label: str, held_for: float) -> None:
        if self.book:
            self._entries.append((label, 0.0, held_for))

    def post(self) -> None:
        """Give the book what was noted until now."""
        while self.book and (entries := list(self._fetch())):
            self.book(entries)
            time.sleep(0)

    def _fetch(self) -> Iterator[Entry]:
        with suppress(IndexError):
            for _ in range(SLICE):
                yield self._entries.popleft()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(
                    target=self._post_for_ever, name="locking-ledger", daemon=True
                )
                thread.start()
                self._thread = thread
                # Where counters outlive their process, what it did last counts too.
                atexit.register(self.post)

    def _post_for_ever(self) -> None:
        while True:
            time.sleep(PERIOD)
            try:
                self.post()
            except Exception:
                logger.exception("The ledger of locks goes on after an error")


ledger = Ledger()
