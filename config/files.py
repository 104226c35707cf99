"""Static files, with errors like all others."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware

from config.handlers import refusal

CODES = {405: "method_not_allowed", 416: "range_not_satisfiable"}


class FileMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponseBase:
        found: HttpResponseBase = WhiteNoiseMiddleware.serve(static_file, request)
        if found.status_code not in CODES:
            return found
        told = refusal(request, found.status_code, CODES[found.status_code])
        for name in {"Allow", "Content-Range"} & found.headers.keys():
            told.headers[name] = found.headers[name]
        return told
