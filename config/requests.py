"""What every request gets: an id, a line in the access log, and no TRACE."""

import logging
import re
import secrets
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from config.logs import request_id
from config.problems import problem

access = logging.getLogger("mainstay.access")
ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "")
        name = given if ACCEPTED_ID.fullmatch(given) else secrets.token_hex(16)
        token = request_id.set(name)
        began = time.perf_counter()
        try:
            if request.method == "TRACE":
                response: HttpResponseBase = problem(request, 405, "method_not_allowed")
            else:
                response = self.get_response(request)
            _log(request, response, time.perf_counter() - began)
        finally:
            request_id.reset(token)
        response.headers["X-Request-ID"] = name
        return response


def _log(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    # The route, not the path: paths may carry what the caller wants kept out of logs.
    route = request.resolver_match.route if request.resolver_match else "-"
    access.info("%s /%s %s %.1fms", request.method, route, response.status_code, seconds * 1000)
