"""Has each request to the API counted once, and refuses those of who comes too often.

Who shows no credentials is counted by address before any work is done for him. Who shows some is
counted as the user, or as the signing key, that they turn out to be, and by address if they are
refused. Paths without a route are not counted: to say that there is nothing costs less than that.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase

from config.limits import COUNTED, Counted, count, of_address
from config.problems import problem

LIMITED = ("/api/", "/.well-known/")
CREDENTIALS = {"HTTP_AUTHORIZATION", "HTTP_SIGNATURE", "HTTP_SIGNATURE_INPUT"}


class LimitMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        # What was done must not be denied, and OPTIONS does nothing.
        if COUNTED not in request.META and response.status_code >= 400 and _limited(request):
            counted = count(request, of_address(request))
            response = _refusal(request, counted) if counted.wait else response
        if COUNTED in request.META:
            for name, value in request.META[COUNTED].headers().items():
                response.headers[name] = value
        return response

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponseBase | None:
        if not _limited(request) or not CREDENTIALS.isdisjoint(request.META):
            return None
        counted = count(request, of_address(request))
        return _refusal(request, counted) if counted.wait else None


def _limited(request: HttpRequest) -> bool:
    return request.resolver_match is not None and request.path_info.startswith(LIMITED)


def _refusal(request: HttpRequest, counted: Counted) -> HttpResponseBase:
    return problem(request, 429, "rate_limited", "Too many requests.", retry_after=counted.wait)
