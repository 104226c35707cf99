"""The one thread that a check has, and the boundary around what its probe does there."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from queue import SimpleQueue
from traceback import format_exception

from django.db import connections

from health.probes import Probe
from health.reasons import reason_of
from health.verdict import CheckResult, Reason, Status

from . import record

LARGEST_RESULT = LONGEST_TRACE = 100_000


class ProbeFailed(Exception):
    """In place of an error that says too much."""


class Here(threading.local):
    """``probing`` is whether this thread runs a probe: what it stumbles over is no news."""

    probing = False


here = Here()


@dataclass(frozen=True, slots=True)
class Observation:
    result: CheckResult
    seconds: float
    error: BaseException | None = None


def observe(probe: Probe) -> Observation:
    """Run a probe, whatever it does: only its own check may fail."""
    began = time.monotonic()
    here.probing = True
    try:
        told = _result(probe)
        result, error = _without_causes(told), _cause(told)
    except BaseException as raised:  # SystemExit too: it would end the thread without a word
        result, error = CheckResult(Status.FAIL, _reason(raised)), raised
    finally:
        here.probing = False
    return Observation(result, time.monotonic() - began, error and _bounded(error))


def _result(probe: Probe) -> CheckResult:
    try:
        result = probe.run()
    finally:
        _release_connections()
    if not isinstance(result, CheckResult):
        raise TypeError(f"{type(probe).__name__}.run() returned {type(result).__name__}")
    # Whoever renders or publishes it would stumble, and with it all other checks.
    if record.extent(result) > LARGEST_RESULT:
        raise ValueError(f"{type(probe).__name__}.run() returned too much")
    return result


def _reason(error: BaseException) -> Reason:
    try:
        return reason_of(error)
    except Exception:  # from its own __str__
        return Reason.ERROR


def _cause(result: CheckResult) -> BaseException | None:
    """Its own, or that of its first part which has one. Raises TypeError for what is none."""
    cause = next((one.cause for one in (result, *result.parts) if one.cause), None)
    if not isinstance(cause, BaseException | None):
        raise TypeError(f"{type(cause).__name__} is no cause")
    return cause


def _without_causes(result: CheckResult) -> CheckResult:
    """What is kept and published: an error holds frames, and may say what nobody should read."""
    return replace(result, cause=None, parts=tuple(map(_without_causes, result.parts)))


def _bounded(error: BaseException) -> BaseException:
    """As the scheduler can log it, which must not be at it for seconds."""
    if sum(map(len, format_exception(error))) > LONGEST_TRACE:
        return ProbeFailed(type(error).__name__).with_traceback(error.__traceback__)
    return error


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
        self._thread = threading.Thread(target=self._work, name=f"health-{probe.name}", daemon=True)
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
