"""What an exception out of the SDK means: for the breaker, and for the bill.

Told apart by attributes and class names, because the SDK speaks through whichever of httpx,
httpx2 and aiohttp is installed, and because its own error classes do not survive pickling.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from breaker.classify import Outcome

from .errors import GenerationError
from .results import OperationFailed


class Kind(StrEnum):
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    BROKEN = "broken"  # an error of Google's own
    REFUSED = "refused"  # about this request or this project, not about Google's health
    TIMED_OUT = "timed_out"
    UNREACHED = "unreached"  # no request left this machine
    CUT_OFF = "cut_off"
    MALFORMED = "malformed"
    UNAUTHENTICATED = "unauthenticated"


OUTCOMES = {
    Kind.THROTTLED: Outcome.THROTTLED,
    Kind.UNAVAILABLE: Outcome.FAILURE,
    Kind.BROKEN: Outcome.FAILURE,
    Kind.REFUSED: Outcome.NEUTRAL,
    Kind.TIMED_OUT: Outcome.FAILURE,
    Kind.UNREACHED: Outcome.FAILURE,
    Kind.CUT_OFF: Outcome.FAILURE,
    Kind.MALFORMED: Outcome.FAILURE,
    Kind.UNAUTHENTICATED: Outcome.NEUTRAL,
}

# After these Google has certainly not begun, so sending again cannot be paid for twice.
NOT_BEGUN = {
    Kind.THROTTLED,
    Kind.UNAVAILABLE,
    Kind.REFUSED,
    Kind.UNREACHED,
    Kind.UNAUTHENTICATED,
}

# Any class of the exception's ancestry by name; the first row that matches decides.
KINDS_BY_NAME = (
    ("GoogleAuthError", Kind.UNAUTHENTICATED),
    ("ConnectTimeout", Kind.UNREACHED),
    ("PoolTimeout", Kind.UNREACHED),
    ("ConnectError", Kind.UNREACHED),
    ("ClientConnectorError", Kind.UNREACHED),
    ("TimeoutException", Kind.TIMED_OUT),
    ("TimeoutError", Kind.TIMED_OUT),
    ("TransportError", Kind.CUT_OFF),
    ("ClientPayloadError", Kind.CUT_OFF),
    ("ClientConnectionError", Kind.CUT_OFF),
    ("ConnectionError", Kind.CUT_OFF),
)

FAILED_OPERATIONS = {2, 4, 8, 13, 14}  # google.rpc: unknown, deadline, exhausted, internal, …
WORD = re.compile(r"[A-Z_]{1,40}")
DELAY = re.compile(r"(\d{1,6}(?:\.\d+)?)s?")
LONGEST_RETRY_AFTER = 3600.0


@dataclass(frozen=True, slots=True)
class Finding:
    kind: Kind
    code: int | None = None
    word: str = ""
    """Google's status, or the class of an exception that is no answer of Google's."""
    retry_after: float | None = None

    @property
    def outcome(self) -> Outcome:
        return OUTCOMES[self.kind]

    @property
    def begun(self) -> bool:
        """Whether Google may have done the work, and charged for it."""
        return self.kind not in NOT_BEGUN

    @property
    def sign(self) -> str:
        """By which it was told, in no words of Google's or of a caller's."""
        return f"{self.code} {self.word}".strip() if self.code else self.word


@runtime_checkable
class ApiError(Protocol):
    """Google's own answer, whatever class it has after pickling."""

    code: int
    status: str | None
    details: Any
    response: Any


def find(error: Exception) -> Finding:
    match error:
        case ApiError():
            return Finding(_kind_of(error.code), error.code, _word(error), _retry_after(error))
    names = {ancestor.__name__ for ancestor in type(error).__mro__}
    # Anything may rise from the parsing of a reply, and what is paid for must not be sent again.
    kind = next((kind for name, kind in KINDS_BY_NAME if name in names), Kind.MALFORMED)
    return Finding(kind, word=type(error).__name__)


def _kind_of(code: int) -> Kind:
    match code:
        case 429:
            return Kind.THROTTLED
        case 503:
            return Kind.UNAVAILABLE
        case 408 | 504:
            return Kind.TIMED_OUT
        case _ if 400 <= code < 500:
            return Kind.REFUSED
    return Kind.BROKEN


def _word(error: ApiError) -> str:
    """Google's one-word status; nothing else of an upstream message is safe to repeat."""
    return error.status if error.status and WORD.fullmatch(error.status) else ""


def _retry_after(error: ApiError) -> float | None:
    longest = max((_seconds(text) for text in _delays(error)), default=0.0)
    return min(longest, LONGEST_RETRY_AFTER) or None


def _delays(error: ApiError) -> Iterator[str]:
    """The Retry-After header and google.rpc.RetryInfo, where they are given."""
    if error.response is not None:
        yield error.response.headers.get("Retry-After", "")
    match error.details:
        case {"error": {"details": [*details]}}:
            for detail in details:
                match detail:
                    case {"retryDelay": str(delay)}:
                        yield delay


def _seconds(text: str) -> float:
    found = DELAY.fullmatch(text)
    return float(found[1]) if found else 0.0


def judge(end: object) -> Outcome:
    """For the breaker. Content withheld for safety is an answer like any other."""
    match end:
        case GenerationError():
            return end.outcome
        case Exception():
            return find(end).outcome
        case BaseException():
            return Outcome.NEUTRAL  # cancelled, or a stream that its reader closed
        case OperationFailed(code):
            return Outcome.FAILURE if code in FAILED_OPERATIONS else Outcome.NEUTRAL
    return Outcome.OK


def requested_wait(end: object) -> float | None:
    """Seconds for which Google asked to be left alone."""
    match end:
        case GenerationError():
            return end.asked
        case Exception():
            return find(end).retry_after
    return None
