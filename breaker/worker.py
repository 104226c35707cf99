"""A thread that is there only while it has something to do."""

import threading

from django.db import connections

from .threads import started


class Worker:
    def __init__(self, name: str) -> None:
        self._name = name
        self.forget()

    def forget(self) -> None:
        self._shift: object = None
        """Stands for the thread at work, if there is one."""
        self._idle = threading.Condition()

    def queued(self) -> bool:
        raise NotImplementedError

    def work(self) -> None:
        """Do some of what is queued."""
        raise NotImplementedError

    def drain(self, timeout: float) -> bool:
        """Whether nothing is left to do, after at most ``timeout`` seconds of waiting for that."""
        with self._idle:
            return self._idle.wait_for(lambda: self._shift is None, timeout) and not self.queued()

    def wake(self) -> None:
        with self._idle:
            self._idle.notify_all()
            if self._shift is not None:
                return
            self._shift = shift = object()
        # Not within the lock, because the new thread may collect a call that has news, too.
        if not started(lambda: self._run(shift), self._name):
            self._leave(shift)

    def _run(self, shift: object) -> None:
        try:
            while self._has_work(shift):
                self.work()
        finally:
            self._leave(shift)

    def _has_work(self, shift: object) -> bool:
        """Whether there is more to do; if not, this thread's time is over."""
        if not self.queued():
            connections.close_all()
        with self._idle:
            if self._shift is shift and self.queued():
                return True
            self._leave(shift)
            return False

    def _leave(self, shift: object) -> None:
        with self._idle:
            if self._shift is shift:
                self._shift = None
                self._idle.notify_all()
