"""The checker of this process: servers start it, everybody asks it and wakes it."""

import logging
import os
from threading import Lock

from . import contrib, counters, registry, traffic
from .engine.checker import Checker
from .engine.host import this_host
from .engine.runner import here
from .verdict import Status

logger = logging.getLogger(__name__)

_running: Checker | None = None
_left_behind: Checker | None = None
_lock = Lock()


def start() -> Checker:
    """Started if it is not running: in a server, at import of its app.

    A forked child has none of its parent's threads, so it starts its own here.
    """
    with _lock:
        if _running is None or not _running.alive:
            return _begin()
        if _running.stuck:
            return _replaced(_running)
        return _running


def _begin() -> Checker:
    global _running
    # A process that starts often takes the place of one that has ended.
    if directory := counters.directory():
        counters.tidy(directory)
    traffic.connect()
    for contribution in contrib.installed():
        contribution.connect()
    place = this_host()
    _running = Checker(registry.probes(), place=place, known=place.latest())
    return _running


def _replaced(stuck: Checker) -> Checker:
    global _running, _left_behind
    # Two at most: while the first one is stuck, the second is the last.
    if _left_behind and _left_behind.stuck:
        return stuck
    logger.error("the health scheduler stands still; another one takes its place")
    place, led = stuck.abandon(), stuck.leading
    _left_behind = stuck
    _running = Checker(registry.probes(), place=place, led=led)
    return _running


def current() -> Checker:
    running = _running
    if running is None or not running.alive or running.stuck:
        return start()
    running.wait_awake()
    return running


def running() -> Checker | None:
    """For who wants to know what is known, and not that it be found out."""
    return _running


def wake(*names: str) -> None:
    """Run these checks now, where a checker runs at all."""
    if _running:
        _running.wake(names)


def doubt(*names: str) -> None:
    """Somebody could not use these: look again at what seems to be well."""
    if _running and not here.probing:
        snapshot = _running.edition.snapshot
        wake(*(name for name in names if snapshot.status_of(name) is Status.PASS))


def _forget() -> None:
    global _running, _left_behind, _lock
    for inherited in filter(None, (_running, _left_behind)):
        inherited.disown()
    _running, _left_behind, _lock = None, None, Lock()


os.register_at_fork(after_in_child=_forget)
