"""What leaves through the wrapper: a body in the form that Accept asks for, and its headers."""

import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from .verdict import Status

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

# The next levels take twice the time for a tenth less.
GZIP_LEVEL = 4
JSON_TYPES = ("application/health+json", "application/json")


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    media_type: str
    body: bytes
    extra: tuple[tuple[str, str], ...] = ()

    def send(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        headers = [
            ("Content-Type", self.media_type),
            ("Content-Length", str(len(self.body))),
            ("Cache-Control", "no-store"),
            ("Vary", "Accept, Authorization"),
            ("X-Content-Type-Options", "nosniff"),
            *self.extra,
        ]
        start_response(f"{self.code} {HTTPStatus(self.code).phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [self.body]


def health(
    accept: str, *, code: int, word: Status, body: bytes, retry_after: int | None = None
) -> Answer:
    """The first type that Accept names and we know decides; plain text is the word alone."""
    extra = (("Retry-After", str(retry_after)),) if retry_after else ()
    for part in accept.split(","):
        media_type = part.partition(";")[0].strip().lower()
        if media_type == "text/plain":
            return Answer(code, "text/plain; charset=utf-8", f"{word}\n".encode(), extra)
        if media_type in JSON_TYPES:
            return Answer(code, media_type, body, extra)
    return Answer(code, "application/json", body, extra)


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
        "instance": path,
    }
    return Answer(status, "application/problem+json", json.dumps(document).encode(), extra)
