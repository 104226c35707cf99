"""How much a request may carry, decided before anything reads it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from config.handlers import refusal

# Where strangers knock: names, passwords and tokens are small. Elsewhere Django's own limit holds.
LIMITS = {"/api/v1/auth/": 65_536, "/admin/login/": 65_536}

# Headers that are taken apart, which takes seconds where they are as long as a server lets them be.
CHOICES, LONGEST_CHOICE = ("HTTP_ACCEPT", "CONTENT_TYPE"), 8_192

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]


class BodyMiddleware:
    """Only bodies whose length is told. A gateway cannot tell a chunked one that broke off from a
    whole one, nor a limit be held against it before it has been read."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "HTTP_TRANSFER_ENCODING" in request.META:
            return refusal(request, 411, "length_required", "The body needs a Content-Length.")
        if any(len(request.META.get(name, "")) > LONGEST_CHOICE for name in CHOICES):
            return refusal(request, 431, "too_large", "A header is too long.")
        length = told(request.META.get("CONTENT_LENGTH", ""))
        if length and length > (most := limit(request.path_info)):
            return refusal(request, 413, "too_large", f"A body may have {most} bytes here.")
        return self.get_response(request)


def limit(path: str) -> int:
    """In bytes."""
    found = (size for prefix, size in LIMITS.items() if path.startswith(prefix))
    return next(found, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


def told(given: str) -> int:
    # Thousands of digits are too many for int(), and twenty are too large.
    return int("0" + given.lstrip("0")[:20]) if given.isascii() and given.isdigit() else 0


def unmeasured(scope: dict[str, Any], first: Message) -> bool:
    """HTTP/2 has no word for a body whose length is not told."""
    names = {name for name, _ in scope["headers"]}
    safe = scope["method"] in ("GET", "HEAD", "OPTIONS")
    begun = first.get("body") or first.get("more_body")
    return bool(begun) and not safe and names.isdisjoint((b"content-length", b"transfer-encoding"))


def again(first: Message, receive: Receive) -> Receive:
    """With the message that has been looked at."""
    waiting = [first]

    async def next_message() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_message


def bounded(scope: dict[str, Any], receive: Receive) -> Receive:
    """For ASGI, where Django puts a whole body on the disk before it asks any middleware."""
    headers, most = dict(scope["headers"]), limit(scope["path"])
    length = told(headers.get(b"content-length", b"").decode("latin-1"))
    refused = length > most or b"transfer-encoding" in headers
    return aiter(_messages(receive, -1 if refused else most)).__anext__


async def _messages(receive: Receive, left: int) -> AsyncIterator[Message]:
    if left < 0:
        yield {"type": "http.request"}
    while left >= 0:
        message = await receive()
        left -= len(message.get("body", b""))
        more = left >= 0 and message.get("more_body", False)
        yield {**message, "more_body": more}
        if not more:
            break
    while True:
        message = await receive()
        if message["type"] != "http.request":
            yield message
