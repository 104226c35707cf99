"""What a finished call says about the dependency's health."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from . import headers
from .bounds import LONGEST, exceptions
from .errors import CallRefused
from .kinds import plain

logger = logging.getLogger(__name__)


class Outcome(StrEnum):
    OK = "ok"
    FAILURE = "failure"
    THROTTLED = "throttled"
    """A failure by which the dependency says that it is alive but has enough."""
    SLOW = "slow"
    """Ended well, but later than the circuit allows, or has not ended by then."""
    NEUTRAL = "neutral"
    """Says nothing: a cancelled call, a caller's own mistake, a refusal further in."""


WORST_FIRST = (Outcome.FAILURE, Outcome.THROTTLED, Outcome.SLOW, Outcome.NEUTRAL, Outcome.OK)
Classify = Callable[[object], Outcome]
RecordResult = Callable[[Any], object]
RetryAfter = Callable[[object], float | None]


def default_outcome(end: object) -> Outcome:
    """The verdict on a result or an exception when nobody knows better.

    That on several exceptions is the worst one.
    """
    match end:
        case CallRefused():
            return Outcome.NEUTRAL
        case Exception() if isinstance(end, tuple(_answers)):
            return Outcome.NEUTRAL
        case ExceptionGroup():
            return worst(map(default_outcome, end.exceptions))
        case Exception():
            return _of_code(_http_code(end))
        case BaseException():
            # Cancelled tasks, Ctrl-C and closed generators say nothing about the dependency.
            return Outcome.NEUTRAL
    return Outcome.OK


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    return min(outcomes, key=WORST_FIRST.index)


_answers: set[type[Exception]] = set()


def take_for_answers(*kinds: type[Exception]) -> None:
    """These exceptions are how code answers its own caller, such as that there is no such page."""
    _answers.update(kinds)


def default_retry_after(end: object) -> float | None:
    """Seconds to wait, as the errors of this project carry them, or as Retry-After tells."""
    wait = getattr(end, "retry_after", None)
    if isinstance(wait, int | float):
        return wait
    return headers.retry_after(end, now=datetime.now(UTC))


def _http_code(error: Exception) -> int | None:
    """The HTTP status of an error of any client library, without importing one."""
    response = getattr(error, "response", None)
    candidates = (
        getattr(error, "code", None),
        getattr(error, "status_code", None),
        getattr(response, "status_code", None),
    )
    return next((code for code in candidates if isinstance(code, int)), None)


def _of_code(code: int | None) -> Outcome:
    match code:
        case 429:
            return Outcome.THROTTLED
        case 408:
            return Outcome.FAILURE
        case int() if 400 <= code < 500:
            return Outcome.NEUTRAL
    return Outcome.FAILURE


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """How one circuit judges its calls; ``classify`` comes after all others."""

    ignore: tuple[type[Exception], ...] = ()
    """Neutral, whatever else they are."""
    record: tuple[type[Exception], ...] = ()
    """Failures, even with a code that would make them neutral."""
    record_result: RecordResult | None = None
    """Whether a result is a failure."""
    classify: Classify | None = None
    """Judges results and exceptions in place of ``default_outcome``."""
    retry_after: RetryAfter = default_retry_after

    def __post_init__(self) -> None:
        exceptions("ignore", self.ignore)
        exceptions("record", self.record)
        if self.record_result is not None:
            plain("record_result", self.record_result, of="a result")
        if self.classify is not None:
            plain("classify", self.classify, of="a result or an exception")
        plain("retry_after", self.retry_after, of="an exception or a result")

    @property
    def judges_results(self) -> bool:
        return self.record_result is not None or self.classify is not None

    def outcome(self, end: object) -> Outcome:
        """The verdict on ``end``, the result or the exception of a call."""
        if isinstance(end, BaseException):
            if not isinstance(end, Exception) or isinstance(end, (CallRefused, *self.ignore)):
                return Outcome.NEUTRAL
            if isinstance(end, self.record):
                return Outcome.FAILURE
            if isinstance(end, ExceptionGroup) and self.classify is None:
                return worst(map(self.outcome, end.exceptions))
        elif not self.judges_results:
            return Outcome.OK
        elif self.record_result is not None and self._is_recorded(self.record_result, end):
            return Outcome.FAILURE
        return self._judge(end)

    def _is_recorded(self, predicate: RecordResult, result: object) -> bool:
        try:
            return bool(predicate(result))
        except Exception:
            # A broken rule must not swallow a result that may have been paid for.
            logger.exception("A rule for results failed")
            return False

    def _judge(self, end: object) -> Outcome:
        try:
            classify = default_outcome if self.classify is None else self.classify
            return Outcome(classify(end))
        except Exception:
            # Nor replace the exception that the caller waits for.
            logger.exception("A rule of classification failed")
            return Outcome.FAILURE if isinstance(end, Exception) else Outcome.OK

    def wait(self, end: object) -> float:
        """Seconds the dependency asked for; 0 if it did not."""
        try:
            wait = self.retry_after(end) or 0.0
            return wait if 0 < wait < LONGEST else 0.0
        except Exception:
            logger.exception("A rule for Retry-After failed")
            return 0.0
