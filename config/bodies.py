"""How much a request may carry, decided before anything reads it."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from config.problems import problem

# Where strangers knock: names, passwords and tokens are small. Elsewhere Django's own limit holds.
LIMITS = {"/api/v1/auth/": 65_536, "/admin/login/": 65_536}


class BodyMiddleware:
    """Only bodies whose length is told. A gateway cannot tell a chunked one that broke off from a
    whole one, nor a limit be held against it before it has been read."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "Transfer-Encoding" in request.headers:
            return problem(request, 411, "length_required", "The body needs a Content-Length.")
        if _length(request) > limit(request.path_info):
            return problem(request, 413, "too_large", "The body is too large.")
        return self.get_response(request)


def limit(path: str) -> int:
    """In bytes."""
    found = (size for prefix, size in LIMITS.items() if path.startswith(prefix))
    return next(found, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


def _length(request: HttpRequest) -> int:
    given = request.headers.get("Content-Length", "")
    # A thousand digits are too many for int(), and twenty are too large.
    return int(given[:20]) if given.isascii() and given.isdigit() else 0
