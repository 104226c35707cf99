"""What a process still has to tell when it ends, or is asked to."""

import atexit
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from .threads import started

PATIENCE = 2.0


def before_the_end(tell: Callable[[], object]) -> None:
    """Call ``tell`` at the interpreter's end, and at a SIGTERM that nobody else has taken on.

    Servers and task queues take it on themselves and end as usual. By default it ends a process
    on the spot, and only the main thread may change that.
    """
    atexit.register(tell)
    if threading.current_thread() is threading.main_thread() and _ends_on_the_spot():
        signal.signal(signal.SIGTERM, lambda number, frame: _end(number, frame, tell))


def _ends_on_the_spot() -> bool:
    return signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and not _caught_outside_python()


def _caught_outside_python() -> bool:
    """A server in C may have a handler that Python does not know of."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return False
    caught = next((line for line in status.splitlines() if line.startswith("SigCgt:")), "SigCgt: 0")
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def _end(number: int, frame: FrameType | None, tell: Callable[[], object]) -> None:
    try:
        # The main thread may have been interrupted while it held a lock that ``tell`` needs.
        if telling := started(tell, "breaker-farewell"):
            telling.join(PATIENCE)
    finally:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
