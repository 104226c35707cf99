"""What people and programs see when no view of ours answered: pages here, problems there."""

from collections.abc import Callable
from http import HTTPStatus
from math import ceil

from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers

from accounts.errors import AccountsError
from breaker.errors import BreakerError
from config.problems import MEDIA_TYPE, DomainError, database_unavailable, problem
from locking.errors import LockError

PAGE = "text/html"


class ProblemMiddleware:
    """Domain errors out of plain Django views."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        explained = response.headers.get("Content-Type") == MEDIA_TYPE
        if response.status_code == 405 and not explained:
            allow = response.headers.get("Allow", "")
            response = refusal(request, 405, "method_not_allowed")
            response.headers["Allow"] = allow
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        match error:
            # With status 500 they tell of a mistake in the program, which is not for its callers.
            case AccountsError() | BreakerError() | LockError() if error.status != 500:
                return _told(request, error)
            case OperationalError():
                return _told(request, database_unavailable(error))
        return None


def refusal(
    request: HttpRequest, status: int, code: str, detail: str = "", *,
    retry_after: float | None = None,
) -> HttpResponse:  # fmt: skip
    """``retry_after`` in seconds."""
    api = request.path.startswith("/api/")
    if api or not wants_page(request):
        told = problem(request, status, code, detail, retry_after=retry_after)
    else:
        told = page(status, detail, retry_after=retry_after)
    if not api:
        patch_vary_headers(told, ["Accept"])
    return told


def _told(request: HttpRequest, error: DomainError) -> HttpResponse:
    return refusal(request, error.status, error.code, str(error), retry_after=error.retry_after)


def wants_page(request: HttpRequest) -> bool:
    """Accept decides; where it leaves the choice to us, the admin is for people."""
    first = PAGE if request.path.startswith("/admin/") else MEDIA_TYPE
    offered = sorted((PAGE, MEDIA_TYPE, "application/json"), key=lambda name: name != first)
    return (request.get_preferred_type(offered) or first) == PAGE


def page(status: int, detail: str = "", *, retry_after: float | None = None) -> HttpResponse:
    """Needs neither script, session nor database, which may be what failed."""
    told = HTTPStatus(status)
    context = {"status": status, "title": told.phrase, "detail": detail or told.description}
    shown = HttpResponse(render_to_string("problem.html", context), status=status)
    if retry_after is not None:
        shown.headers["Retry-After"] = str(ceil(retry_after))
    return shown


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return refusal(request, 413, "too_large", "The body is too large.")
    return refusal(request, 400, "malformed", "The request is not acceptable.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return refusal(request, 403, "permission_denied", "This is not allowed.")


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return refusal(request, 404, "not_found", "There is nothing here.")


def server_error(request: HttpRequest) -> HttpResponse:
    return refusal(request, 500, "internal_error", "An error of ours; it has been logged.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    detail = "This form was not opened here, or too long ago: open it again and resend it."
    return refusal(request, 403, "csrf_failed", detail)
