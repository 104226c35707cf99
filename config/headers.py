"""Security headers on every response: one policy, applied at two depths.

The wrappers around the whole application overrule whatever was said inside, and so also cover
answers that Django never sees: health, errors before the first middleware. The middleware,
outermost in Django, does the same wherever Django is called without a wrapper.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import Enum
from itertools import product
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from health.endpoints import answers

logger = logging.getLogger(__name__)

Pairs = list[tuple[str, str]]
Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGIApplication = Callable[[Environ, StartResponse], Iterable[bytes]]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApplication = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # No current browser acts on it; the literal is promised to clients, the CSP does the work.
    "X-XSS-Protection": "1; mode=block",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "accelerometer=(), camera=(), display-capture=(), geolocation=(),"
    " gyroscope=(), magnetometer=(), microphone=(), payment=(), usb=()",
    "X-Permitted-Cross-Domain-Policies": "none",
    "X-DNS-Prefetch-Control": "off",
    "Origin-Agent-Cluster": "?1",
}
# Says that a wrapper will have the last word, so that nobody inside need say it too.
WRAPPED = "mainstay.headers"
UNLESS_TOLD = ("Cache-Control", "no-store")


class Kind(Enum):
    """What an answer is to a browser, and so what it may do there."""

    DATA = {
        "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'; object-src 'none'",
        "Referrer-Policy": "no-referrer",
    }
    ADMIN = {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
        " img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self';"
        " base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
        # With no-referrer a browser posts forms with "Origin: null", which the CSRF check refuses.
        "Referrer-Policy": "same-origin",
    }
    DOCS = {
        # Swagger UI calls the API, but has no form to send and no font of its own.
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
        " img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none';"
        " object-src 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
    }

    WORDS = {
        # What people read when there is nothing else for them.
        "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
        "Referrer-Policy": "no-referrer",
    }

    @classmethod
    def of(cls, path: str, content_type: str) -> "Kind":
        """HTML of the API is nothing that we made, but what somebody had made there: DATA."""
        if not content_type.startswith("text/html"):
            return cls.DATA
        if path.startswith("/admin/"):
            return cls.ADMIN
        if path.startswith("/api/"):
            return cls.DOCS if path == "/api/docs" else cls.DATA
        return cls.WORDS


class Policy:
    """The headers of each kind of answer, put together once."""

    def __init__(self) -> None:
        self._sets = {
            (kind, https): ALWAYS | kind.value | (transport_security() if https else {})
            for kind, https in product(Kind, (False, True))
        }
        self._stores = {
            key: {name.lower(): (name, value) for name, value in headers.items()}
            for key, headers in self._sets.items()
        }

    def headers(self, path: str, content_type: str, *, https: bool) -> Mapping[str, str]:
        return self._sets[Kind.of(path, content_type), https]

    def overrule(self, response: HttpResponseBase, path: str, *, https: bool) -> None:
        kind = Kind.of(path, response.headers.get("Content-Type", ""))
        # What its __setitem__ would do to each header, for a tenth of the time.
        response.headers._store.update(self._stores[kind, https])
        response.headers._store.setdefault("cache-control", UNLESS_TOLD)

    def completed(self, headers: Pairs, path: str, *, https: bool) -> Pairs:
        """The headers with those of the policy in place of whatever they said on its subjects."""
        told = [(pair[0].lower(), pair) for pair in headers]
        names = dict(told)
        _, content_type = names.get("content-type", ("", ""))
        ours = self._stores[Kind.of(path, content_type), https]
        kept = [pair for name, pair in told if name not in ours]
        if "cache-control" not in names:
            kept.append(UNLESS_TOLD)
        return [*kept, *ours.values()]


def transport_security() -> dict[str, str]:
    value = f"max-age={settings.SECURE_HSTS_SECONDS}"
    value += "; includeSubDomains" if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS else ""
    value += "; preload" if settings.SECURE_HSTS_PRELOAD else ""
    return {"Strict-Transport-Security": value}


class SecurityHeadersMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.policy = Policy()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if WRAPPED in request.META:
            return response
        self.policy.overrule(response, request.path_info, https=request.is_secure())
        return response


class SecurityHeaders:
    """WSGI wrapper, outermost: it also answers for an application that breaks down."""

    def __init__(self, application: WSGIApplication) -> None:
        self.application = application
        self.policy = Policy()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: Pairs, *exc_info: Any) -> Any:
            # Looked at only now, because a wrapper inside this one corrects the scheme.
            https = environ["wsgi.url_scheme"] == "https"
            full = self.policy.completed(headers, environ["PATH_INFO"], https=https)
            return start_response(status, full, *exc_info)

        environ[WRAPPED] = True
        try:
            return self.application(environ, start)
        except Exception:
            logger.exception("nothing inside answered this request")
            return _apology(environ["PATH_INFO"]).send(environ, start)


class AsyncSecurityHeaders:
    """The same around an ASGI application."""

    def __init__(self, application: ASGIApplication) -> None:
        self.application = application
        self.policy = Policy()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        async def completing(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [(name.decode("latin-1"), value.decode("latin-1"))
                         for name, value in message.get("headers", ())]  # fmt: skip
                full = self.policy.completed(given, scope["path"], https=scope["scheme"] == "https")
                message = {**message, "headers": encoded(full)}
            await send(message)

        await self.application(scope, receive, completing)


def encoded(headers: Pairs) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _apology(path: str) -> answers.Answer:
    detail = "An error of ours; it has been logged."
    return answers.problem(500, "internal_error", detail, path=path)
