"""What a caller of Google is told.

    GenerationError
        GoogleNotConfigured
        UpstreamFailed
            UpstreamForgot
        UpstreamUnavailable, UpstreamThrottled    with a time to come back
        UpstreamTimeout
        IdempotencyKeyMissing, IdempotencyKeyReused

Nothing that Google or the caller wrote is repeated: messages travel into logs, responses and
what is told of circuits. What happened is the context of such an error, which nobody prints.
"""

from breaker.classify import Outcome
from breaker.errors import BreakerError


class GenerationError(BreakerError):
    status = 502
    code = "upstream_error"
    # Whether Google may have done the work, and charged for it, all the same.
    begun: bool = False
    # What it says about Google's health, and the seconds for which Google asked to be left alone.
    outcome: Outcome = Outcome.FAILURE
    asked: float | None = None

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GoogleNotConfigured(GenerationError):
    status = 503

    def __init__(
        self,
        message: str = "No Google project is configured: set GOOGLE_CLOUD_PROJECT, "
        "or SIMULATOR_PORT.",
    ) -> None:
        super().__init__(message)


class UpstreamFailed(GenerationError):
    """Google answered, but with an error or with something that is no answer."""


class UpstreamForgot(UpstreamFailed):
    """Google does not know what was asked for, or not any more."""


class UpstreamUnavailable(GenerationError):
    """Nothing was done for us, and coming back later may help."""

    status = 503


class UpstreamThrottled(GenerationError):
    status = 503
    code = "upstream_throttled"


class UpstreamTimeout(GenerationError):
    """No answer in time; whether the work was done is not known."""

    status = 504
    code = "upstream_timeout"


class IdempotencyKeyMissing(GenerationError):
    status = 400
    code = "idempotency_key_missing"


class IdempotencyKeyReused(GenerationError):
    status = 422
    code = "idempotency_key_reused"
