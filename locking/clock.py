"""Seconds that pass also while the machine sleeps, and that nobody can set."""

import sys
import time
from collections.abc import Callable
from functools import partial

Clock = Callable[[], float]

now: Clock = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic
)
