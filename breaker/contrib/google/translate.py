"""What was found out about a failure, in the words that a caller gets."""

from .classify import Finding, Kind
from .errors import (
    GenerationError,
    UpstreamFailed,
    UpstreamForgot,
    UpstreamThrottled,
    UpstreamTimeout,
    UpstreamUnavailable,
)

RETRY_AFTER = 5.0  # seconds, where Google names none
FORGOTTEN = {404, 410}
TEXTS = {
    Kind.THROTTLED: "Google's quota is used up for now",
    Kind.UNAVAILABLE: "Google is unavailable",
    Kind.UNREACHED: "Google cannot be reached",
    Kind.TIMED_OUT: "Google did not answer in time",
    Kind.BROKEN: "Google failed",
    Kind.REFUSED: "Google refused the request",
    Kind.CUT_OFF: "The connection to Google broke",
    Kind.MALFORMED: "Google's answer could not be read",
    Kind.UNAUTHENTICATED: "Google did not accept this server's credentials",
}


def translate(finding: Finding) -> GenerationError:
    """The caller's error.

    A 4xx of Google's becomes 502: it is about our project, model or parameters as much as about
    the prompt, and a 4xx of ours would tell the caller to change a request that this API accepts.
    """
    after = finding.retry_after or RETRY_AFTER
    error = _error(finding, after)
    error.begun, error.outcome, error.asked = finding.begun, finding.outcome, finding.retry_after
    return error


def _error(finding: Finding, after: float) -> GenerationError:
    text = f"{TEXTS[finding.kind]} ({finding.sign})."
    match finding.kind:
        case Kind.THROTTLED:
            return UpstreamThrottled(text, retry_after=after)
        case Kind.UNAVAILABLE | Kind.UNREACHED:
            return UpstreamUnavailable(text, retry_after=after)
        case Kind.TIMED_OUT:
            return UpstreamTimeout(text)
    return UpstreamForgot(text) if finding.code in FORGOTTEN else UpstreamFailed(text)
