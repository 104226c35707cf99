"""What every request gets, whoever answers it: an id, a trace, one line in the access log."""

import logging
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import SimpleLazyObject

from config import queries, tracing
from config.current import Current, here, note, unique
from config.methods import no_trace, options
from config.tracing import Trace

access = logging.getLogger("mainstay.access")

ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}
# Asked every few seconds by machines, and counted in /metrics, and what becomes of their answers is
# logged when it changes: in the access log are only those that are refused.
PROBES = re.compile(r"/health(?=/|\Z)|/metrics(?=/?\Z)")


class Requests:
    """WSGI wrapper, around everything that may answer or fail."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        with Exchange(environ) as current:

            def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
                current.status = int(status[:3])
                return start_response(status, [*headers, ("X-Request-ID", current.id)], *exc_info)

            return self.application(environ, start)


class Exchange:
    """One request, from its first moment to its line in the access log."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self._current = _begin(environ)

    def __enter__(self) -> Current:
        self._token = here.set(self._current)
        return self._current

    def __exit__(self, *_: object) -> None:
        _log(self._current)
        here.reset(self._token)


def _begin(environ: dict[str, Any]) -> Current:
    began = time.perf_counter()
    given = environ.get("HTTP_X_REQUEST_ID", "")
    told = environ.get("HTTP_TRACEPARENT")
    trace = tracing.read(told, environ.get("HTTP_TRACESTATE", "")) if told else None
    method = environ["REQUEST_METHOD"]
    probe = PROBES.match(environ.get("PATH_INFO", ""))
    return Current(
        id=given if ACCEPTED_ID.fullmatch(given) else unique(32),
        trace=trace or Trace(unique(32)),
        method=method if method in METHODS else "OTHER",
        began=began,
        route=probe[0] if probe else None,
    )


def _log(current: Current) -> None:
    if current.status in (200, 503) and current.route in ("/health", "/metrics"):
        return
    method, route, status = current.method, current.route, current.status
    milliseconds = round((time.perf_counter() - current.began) * 1000, 1)
    access.info(
        "%s %s %s %.1fms", method, route or "-", status, milliseconds,
        extra={"fields": {
            "method": method, "route": route, "status": status, "duration_ms": milliseconds,
        }},
    )  # fmt: skip


class RequestMiddleware:
    """Notes what only Django knows of a request, answers OPTIONS, refuses TRACE and odd queries."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method == "TRACE":
            return no_trace(request)
        response = self.get_response(request)
        note(user=_user(request))
        return response

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponseBase | None:
        if request.resolver_match:
            note(route=f"/{request.resolver_match.route}")
        return options(request) or queries.refused(request)


def _user(request: HttpRequest) -> str | None:
    """The user's key, if anybody asked for the user: to ask now may cost a query."""
    known = vars(request)
    user = known.get("user")
    if isinstance(user, SimpleLazyObject):
        user = known.get("_cached_user")
    return None if user is None or user.pk is None else str(user.pk)
