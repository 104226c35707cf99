"""Every error of every kind as ``application/problem+json`` (RFC 9457).

``type`` is always ``about:blank``: the meaning is in ``code``, from the closed list ``CODES``.
"""

import json
import logging
import math
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from itertools import islice
from typing import Any, NamedTuple

from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, UnreadablePostError
from django.utils.encoding import escape_uri_path
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_handler
from rest_framework.views import set_rollback

from accounts.errors import AccountsError
from breaker.errors import BreakerError
from config.incoming import TooManyReaders
from health import checker
from locking.errors import LockError

logger = logging.getLogger(__name__)


class DatabaseUnavailable(Exception):
    """Told like the errors of the apps."""

    status, code, retry_after = 503, "database_unavailable", 1.0


DomainError = AccountsError | BreakerError | LockError | DatabaseUnavailable

MEDIA_TYPE = "application/problem+json"
CODES = (
    "account_locked",
    "breaker_unavailable",
    "bulkhead_full",
    "circuit_key_misused",
    "circuit_open",
    "content_blocked",
    "csrf_failed",
    "database_unavailable",
    "idempotency_key_missing",
    "idempotency_key_reused",
    "internal_error",
    "invalid",
    "invalid_credentials",
    "length_required",
    "lock_busy",
    "lock_deadlock",
    "lock_invalid",
    "lock_lost",
    "lock_queue_full",
    "lock_unavailable",
    "malformed",
    "method_not_allowed",
    "not_authenticated",
    "not_found",
    "permission_denied",
    "precondition_failed",
    "range_not_satisfiable",
    "rate_limited",
    "refresh_in_progress",
    "server_unavailable",
    "signature_invalid",
    "signatures_unavailable",
    "signing_key_not_active",
    "stale_epoch",
    "stale_fence",
    "time_limit_exceeded",
    "token_expired",
    "token_invalid",
    "token_reused",
    "token_revoked",
    "too_large",
    "too_many_signing_keys",
    "unsupported_media_type",
    "upstream_error",
    "upstream_throttled",
    "upstream_timeout",
)

# What a caller sent may be part of what is said about it, but need not be repeated whole.
LONGEST_NAME, LONGEST_TEXT, MOST_FIELDS = 100, 500, 50

# DRF's own words where they differ from ours.
RENAMED = {
    "parse_error": "malformed",
    "error": "internal_error",
    "throttled": "rate_limited",
    "authentication_failed": "token_invalid",
}


class Fault(NamedTuple):
    """``field`` is a dotted path, or the name in a query."""

    field: str
    code: str
    detail: str

    def told(self) -> dict[str, str]:
        return {
            "field": self.field[:LONGEST_NAME],
            "code": self.code,
            "detail": self.detail[:LONGEST_TEXT],
        }


def problem(
    request: HttpRequest,
    status: int,
    code: str,
    detail: str = "",
    *,
    retry_after: float | None = None,
    errors: list[dict[str, str]] | None = None,
) -> HttpResponse:
    """A problem document. ``retry_after`` in seconds, rounded up in the header."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail or HTTPStatus(status).description or HTTPStatus(status).phrase,
        "instance": escape_uri_path(request.path),
    }
    if retry_after is not None:
        body["retry_after"] = round(retry_after, 3)
    if errors is not None:
        body["errors"] = errors
    response = HttpResponse(json.dumps(body), status=status, content_type=MEDIA_TYPE)
    if retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(retry_after))
    return response


def invalid(request: HttpRequest, faults: Iterable[Fault]) -> HttpResponse:
    """What is wrong with what was sent, by the names of its parts."""
    errors = [fault.told() for fault in islice(faults, MOST_FIELDS)]
    fields = ", ".join(dict.fromkeys(error["field"] for error in errors if error["field"]))
    detail = f"Not accepted: {fields}." if fields else "The input is not accepted."
    return problem(request, 400, "invalid", detail, errors=errors)


def from_domain(request: HttpRequest, error: DomainError) -> HttpResponse:
    return problem(request, error.status, error.code, str(error), retry_after=error.retry_after)


def database_unavailable(error: OperationalError) -> DatabaseUnavailable:
    logger.error("database unavailable: %s", error)
    checker.doubt("database")
    return DatabaseUnavailable("The database does not answer.")


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponseBase | None:
    """DRF's hook. None lets an unknown error rise to ``handler500``."""
    request = context["request"]._request
    match error:
        case AccountsError() | BreakerError() | LockError() if error.status == 500:
            # They tell of a mistake in the program, which is not for its callers.
            return None
        case AccountsError() | BreakerError() | LockError():
            set_rollback()
            response = from_domain(request, error)
            if error.status == 401:
                response.headers["WWW-Authenticate"] = "Bearer"
            return response
        case UnreadablePostError() if isinstance(_origin(error), TooManyReaders):
            detail = "Too many bodies are waited for."
            return problem(request, 503, "server_unavailable", detail, retry_after=1)
        case UnreadablePostError():
            return problem(request, 400, "malformed", "The body broke off.")
        case OperationalError():
            set_rollback()
            return from_domain(request, database_unavailable(error))
    standard = drf_handler(error, context)
    if standard is None:
        return None
    return _from_drf(request, error, standard)


def _origin(error: BaseException) -> BaseException:
    while error.__cause__:
        error = error.__cause__
    return error


def _from_drf(request: HttpRequest, error: Exception, standard: Response) -> HttpResponse:
    match error:
        case exceptions.ValidationError():
            response = invalid(request, _flat(error.get_full_details()))
        case exceptions.APIException():
            code = str(error.get_codes())
            response = problem(
                request, standard.status_code, RENAMED.get(code, code),
                str(error.detail)[:LONGEST_TEXT],
                retry_after=error.wait if isinstance(error, exceptions.Throttled) else None,  # type: ignore[attr-defined]
            )  # fmt: skip
        case Http404():
            response = problem(request, 404, "not_found", "There is nothing here.")
        case _:
            response = problem(request, 403, "permission_denied", "This is not allowed.")
    for name in ("WWW-Authenticate", "Allow"):
        if name in standard.headers:
            response.headers[name] = standard.headers[name]
    return response


def _flat(details: Any, field: str = "") -> Iterator[Fault]:
    """DRF's nested error details as rows that name their field by a dotted path."""
    match details:
        case {"message": str(message), "code": str(code)}:
            yield Fault(field, code, message)
        case dict():
            for name, inner in details.items():
                own = field if name == "non_field_errors" else f"{field}.{name}".lstrip(".")
                yield from _flat(inner, own)
        case list():
            for inner in details:
                yield from _flat(inner, field)
