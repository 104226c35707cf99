"""Before a process ends it asks for no more requests, and serves those that come all the same.

SIGUSR1 says so and nothing else: ``manage.py up`` sends it before it stops the server, and so may
whoever stops another one. SIGTERM says so too where the server has its handler in place before it
loads the application: that handler then has to wait for ``DRAIN_SECONDS``.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from .conf import conf

logger = logging.getLogger(__name__)

Handler = Callable[[int, FrameType | None], Any] | int | None
_draining = threading.Event()


def drain() -> None:
    """/health/ready fails from now on, everything else goes on."""
    _draining.set()


def draining() -> bool:
    return _draining.is_set()


def install() -> None:
    """At import of the application. Only the main thread may; a server elsewhere calls drain()."""
    if threading.current_thread() is not threading.main_thread():
        return
    signal.signal(signal.SIGUSR1, lambda *_: drain())
    if seconds := conf().drain_seconds:
        signal.signal(signal.SIGTERM, Postponed(signal.getsignal(signal.SIGTERM), seconds))


class Postponed:
    """Handles SIGTERM as before, but ``seconds`` later. A second one means now."""

    def __init__(self, before: Handler, seconds: float) -> None:
        self._before = before
        self._seconds = seconds

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if draining():
            self._end(number, frame)
            return
        drain()
        timer = threading.Timer(self._seconds, os.kill, (os.getpid(), number))
        timer.daemon = True
        timer.start()

    def _end(self, number: int, frame: FrameType | None) -> None:
        if callable(self._before):
            self._before(number, frame)
            return
        signal.signal(number, self._before or signal.SIG_DFL)
        signal.raise_signal(number)
