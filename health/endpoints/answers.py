"""What leaves through the wrapper: a body in the form that Accept asks for, and its headers."""

import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from health.verdict import Status

from . import accept as forms

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

# The next levels take twice the time for a tenth less.
GZIP_LEVEL = 4
LIVE = b'{"status":"pass"}'
# For what only the database could tell.
PATIENCE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    media_type: str
    body: bytes
    extra: tuple[tuple[str, str], ...] = ()
    vary: str = "Accept, Authorization"

    def send(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        headers = [
            ("Content-Type", self.media_type),
            ("Content-Length", str(len(self.body))),
            ("Cache-Control", "no-store"),
            ("Vary", self.vary),
            ("X-Content-Type-Options", "nosniff"),
            *self.extra,
        ]
        start_response(f"{self.code} {HTTPStatus(self.code).phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [self.body]


def health(
    accept: str, *, code: int, word: Status, body: bytes, retry_after: int | None = None
) -> Answer:
    """In the form that Accept likes best; plain text is the word alone."""
    extra = (("Retry-After", str(retry_after)),) if retry_after else ()
    media_type = forms.preferred(accept)
    if media_type == forms.TEXT:
        return Answer(code, f"{media_type}; charset=utf-8", f"{word}\n".encode(), extra)
    return Answer(code, media_type, body, extra)


def live(accept: str) -> Answer:
    return health(accept, code=200, word=Status.PASS, body=LIVE)


def wrong_method(path: str) -> Answer:
    detail = "Only GET and HEAD are answered here."
    extra = (("Allow", "GET, HEAD"),)
    return problem(405, "method_not_allowed", detail, path=path, extra=extra)


def unknown_service(path: str) -> Answer:
    return problem(404, "not_found", "There is no such service.", path=path)


def login_needed(path: str) -> Answer:
    """The same whether there is such a service or not."""
    detail = "The state of single services is for the tokens and addresses of the HEALTH setting."
    extra = (("WWW-Authenticate", "Bearer"),)
    return problem(401, "not_authenticated", detail, path=path, extra=extra)


def metrics_refused(path: str) -> Answer:
    detail = "Metrics are for the addresses and tokens of the HEALTH setting."
    return problem(403, "permission_denied", detail, path=path)


def database_needed(path: str) -> Answer:
    detail = "Whether you are staff cannot be found out now: use a token of the HEALTH setting."
    extra = (("Retry-After", str(PATIENCE_SECONDS)),)
    return problem(503, "database_unavailable", detail, path=path, extra=extra)


def gzipped(answer: Answer, accept_encoding: str) -> Answer:
    """A tenth of the size, for those who take it."""
    for part in accept_encoding.lower().split(","):
        coding, weighed, weight = part.replace(" ", "").partition(";q=")
        if coding == "gzip" and not (weighed and not weight.strip("0.")):
            body = gzip.compress(answer.body, GZIP_LEVEL, mtime=0)
            encoded = ("Content-Encoding", "gzip")
            return replace(answer, body=body, extra=(*answer.extra, encoded))
    return answer


def problem(
    status: int, code: str, detail: str, *, path: str, extra: tuple[tuple[str, str], ...] = ()
) -> Answer:
    """RFC 9457."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "instance": quote(path, encoding="latin-1", errors="replace"),
    }
    return Answer(status, "application/problem+json", json.dumps(document).encode(), extra)
