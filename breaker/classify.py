"""What a finished call says about the dependency's health."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeGuard, TypeVar

from . import headers
from .bounds import LONGEST, exceptions
from .errors import CallRefused
from .kinds import plain

T = TypeVar("T")
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


def is_a(end: object, *kinds: type[T]) -> TypeGuard[T]:
    """By its type: asked for its class, a lazy object would have to work, and might fail."""
    return issubclass(type(end), kinds)


def default_outcome(end: object) -> Outcome:
    """The verdict on a result or an exception when nobody knows better.

    That on several exceptions is the worst one.
    """
    if is_a(end, CallRefused, *_answers):
        return Outcome.NEUTRAL
    if is_a(end, ExceptionGroup):
        return worst(map(default_outcome, end.exceptions))
    if is_a(end, Exception):
        return _of_code(_http_code(end))
    # Cancelled tasks, Ctrl-C and closed generators say nothing about the dependency.
    return Outcome.NEUTRAL if is_a(end, BaseException) else Outcome.OK


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
        if is_a(end, BaseException):
            return self._of_exception(end)
        if self.record_result is not None and self._is_recorded(self.record_result, end):
            return Outcome.FAILURE
        return Outcome.OK if self.classify is None else self._judge(end)

    def _of_exception(self, error: object) -> Outcome:
        if not is_a(error, Exception) or is_a(error, CallRefused, *self.ignore):
            return Outcome.NEUTRAL
        if is_a(error, *self.record):
            return Outcome.FAILURE
        return self._judge(error)

    def _is_recorded(self, predicate: RecordResult, result: object) -> bool:
        try:
            return bool(predicate(result))
        except Exception:
            # A broken rule must not swallow a result that may have been paid for.
            logger.exception("A rule for results failed")
            return False

    def _judge(self, end: object) -> Outcome:
        try:
            return self._classified(end)
        except Exception:
            # Nor replace the exception that the caller waits for.
            logger.exception("A rule of classification failed")
            return Outcome.FAILURE if is_a(end, Exception) else Outcome.OK

    def _classified(self, end: object) -> Outcome:
        if self.classify is not None:
            return Outcome(self.classify(end))
        if is_a(end, ExceptionGroup):
            return worst(map(self.outcome, end.exceptions))
        return default_outcome(end)

    def wait(self, end: object) -> float:
        """Seconds the dependency asked for; 0 if it did not."""
        try:
            wait = self.retry_after(end) or 0.0
            return wait if 0 < wait < LONGEST else 0.0
        except Exception:
            logger.exception("A rule for Retry-After failed")
            return 0.0
