"""What people and programs see when no view of ours answered: pages here, problems there."""

from collections.abc import Callable

from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views import defaults
from django.views.csrf import csrf_failure as csrf_page

from accounts.errors import AccountsError
from breaker.errors import BreakerError
from config.problems import MEDIA_TYPE, database_unavailable, from_domain, problem
from locking.errors import LockError


class ProblemMiddleware:
    """Domain errors out of plain Django views."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        explained = response.headers.get("Content-Type") == MEDIA_TYPE
        if response.status_code == 405 and wants_json(request) and not explained:
            allow = response.headers.get("Allow", "")
            response = problem(request, 405, "method_not_allowed")
            response.headers["Allow"] = allow
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        match error:
            # With status 500 they tell of a mistake in the program, which is not for its callers.
            case AccountsError() | BreakerError() | LockError() if error.status != 500:
                return from_domain(request, error)
            case OperationalError():
                return database_unavailable(request, error)
        return None


def wants_json(request: HttpRequest) -> bool:
    """Only the admin and the API's own documentation speak to people."""
    return not request.path.startswith(("/admin/",))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not wants_json(request):
        return defaults.bad_request(request, exception)
    if isinstance(exception, RequestDataTooBig):
        return problem(request, 413, "too_large", "The body is too large.")
    return problem(request, 400, "malformed")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not wants_json(request):
        return defaults.permission_denied(request, exception)
    return problem(request, 403, "permission_denied", "This is not allowed.")


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not wants_json(request):
        return defaults.page_not_found(request, exception)
    return problem(request, 404, "not_found", "There is nothing here.")


def server_error(request: HttpRequest) -> HttpResponse:
    if not wants_json(request):
        return defaults.server_error(request)
    return problem(request, 500, "internal_error", "An error of ours; it has been logged.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    if not wants_json(request):
        return csrf_page(request, reason)
    return problem(request, 403, "csrf_failed", "The CSRF check failed.")
