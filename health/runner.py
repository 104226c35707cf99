"""The one thread that a check has, and the boundary around what its probe does there."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread

from django.db import connections

from .probes import Probe
from .reasons import reason_of
from .verdict import CheckResult, Reason, Status


@dataclass(frozen=True, slots=True)
class Observation:
    result: CheckResult
    seconds: float
    error: BaseException | None = None


def observe(probe: Probe) -> Observation:
    """Run a probe, whatever it does: only its own check may fail."""
    began = time.monotonic()
    try:
        result = probe.run()
        if not isinstance(result, CheckResult):
            raise TypeError(f"{type(probe).__name__}.run() returned {result!r}")
    except BaseException as error:  # SystemExit too: it would end the thread without a word
        failed = CheckResult(Status.FAIL, reason_of(error))
        return Observation(failed, time.monotonic() - began, error)
    finally:
        _release_connections()
    return Observation(result, time.monotonic() - began)


def _release_connections() -> None:
    """This thread's Django connections, which a probe that used the ORM would else keep."""
    for connection in connections.all(initialized_only=True):
        connection.close()


def timed_out(seconds: float) -> Observation:
    return Observation(CheckResult(Status.FAIL, Reason.TIMEOUT), seconds)


class Runner:
    """Runs one probe on order. A thread that hangs is left behind, never waited for."""

    def __init__(self, probe: Probe, report: Callable[[int, Observation], None]) -> None:
        self._orders: SimpleQueue[int | None] = SimpleQueue()
        self._probe = probe
        self._report = report
        self._thread = Thread(target=self._work, name=f"health-{probe.name}", daemon=True)
        self._thread.start()

    def order(self, round_: int) -> None:
        self._orders.put(round_)

    def retire(self) -> None:
        """End the thread once the probe returns."""
        self._orders.put(None)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _work(self) -> None:
        while (round_ := self._orders.get()) is not None:
            self._report(round_, observe(self._probe))
