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


def translate(finding: Finding) -> GenerationError:
    """The caller's error.

    A 4xx of Google's becomes 502: it is about our project, model or parameters as much as about
    the prompt, and a 4xx of ours would tell the caller to change a request that this API accepts.
    """
    after = finding.retry_after or RETRY_AFTER
    error = _error(finding, after)
    error.begun = finding.begun
    return error


def _error(finding: Finding, after: float) -> GenerationError:
    match finding.kind:
        case Kind.THROTTLED:
            return UpstreamThrottled("Google's quota is used up for now.", retry_after=after)
        case Kind.UNAVAILABLE:
            return UpstreamUnavailable("Google is unavailable.", retry_after=after)
        case Kind.UNREACHED:
            return UpstreamUnavailable("Google cannot be reached.", retry_after=after)
        case Kind.TIMED_OUT:
            return UpstreamTimeout("Google did not answer in time.")
        case Kind.BROKEN | Kind.REFUSED:
            verb = "refused the request" if finding.kind is Kind.REFUSED else "failed"
            answer = f"{finding.code} {finding.word}".strip()
            failed = UpstreamForgot if finding.code in FORGOTTEN else UpstreamFailed
            return failed(f"Google {verb} ({answer}).")
        case Kind.CUT_OFF:
            return UpstreamFailed("The connection to Google broke.")
        case Kind.MALFORMED:
            return UpstreamFailed("Google's answer could not be read.")
        case Kind.UNAUTHENTICATED:
            return UpstreamFailed("Google did not accept this server's credentials.")
