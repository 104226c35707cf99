"""``?fresh=1``: the checks run now, for who would rather wait a moment than read what is known."""

import time
from collections.abc import Collection
from threading import Lock
from typing import Any

from health.engine.checker import Checker

WAIT_SECONDS = 0.08
PAUSE_SECONDS = 1.0
STEP_SECONDS = 0.004

_asked = float("-inf")
_lock = Lock()


def wanted(environ: dict[str, Any]) -> bool:
    return "fresh=1" in environ.get("QUERY_STRING", "").split("&")


def look_again(running: Checker, names: Collection[str]) -> None:
    """Once a second for each process. What does not answer in time is told with its age."""
    now = time.monotonic()
    if not _admitted(now):
        return
    running.wake(names)
    while time.monotonic() < now + WAIT_SECONDS and not _newer(running, names, now):
        time.sleep(STEP_SECONDS)


def _admitted(now: float) -> bool:
    global _asked
    with _lock:
        if now < _asked + PAUSE_SECONDS:
            return False
        _asked = now
    return True


def _newer(running: Checker, names: Collection[str], asked: float) -> bool:
    checks = running.edition.snapshot.checks
    return all(check.taken >= asked for check in checks if check.name in names)
