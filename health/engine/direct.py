"""One round of probes here and now, for a shell or a container's own check."""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from queue import Empty, Queue
from threading import Thread
from typing import TypeVar

from health.probes import Probe

from .runner import observe, timed_out
from .snapshot import Check, Snapshot

Key = TypeVar("Key")
Value = TypeVar("Value")


def probe_now(probes: Iterable[Probe], *, timeout: float) -> Snapshot:
    """All at once; what has not answered within ``timeout`` seconds has failed."""
    calls = {probe: partial(observe, probe) for probe in probes}
    seen = within(timeout, calls)
    taken, now = time.monotonic(), datetime.now(UTC)

    def checked(probe: Probe) -> Check:
        observation = seen.get(probe, timed_out(timeout))
        return Check.of(probe).after(
            observation.result, seconds=observation.seconds, taken=taken, time=now
        )

    return Snapshot(checks=tuple(map(checked, calls)), taken=taken, time=now)


def within(timeout: float, calls: Mapping[Key, Callable[[], Value]]) -> dict[Key, Value]:
    """What each call returned, if it did in time. A call that hangs keeps its daemon thread."""
    # Not a SimpleQueue: that of CPython 3.11 may sleep on in get() when its time is over.
    done: Queue[tuple[Key, Value]] = Queue()
    until = time.monotonic() + timeout
    for key, call in calls.items():
        Thread(target=_put, args=(done, key, call), daemon=True).start()
    results: dict[Key, Value] = {}
    try:
        while len(results) < len(calls):
            key, value = done.get(timeout=max(0, until - time.monotonic()))
            results[key] = value
    except Empty:
        pass
    return results


def _put(done: "Queue[tuple[Key, Value]]", key: Key, call: Callable[[], Value]) -> None:
    done.put((key, call()))
