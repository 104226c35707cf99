"""Security headers on every response: one policy, applied at two depths.

The middleware is outermost in Django and overrules views. The WSGI wrapper adds what is missing
on answers that Django never sees: health, and errors raised before the middleware chain.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

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
DATA = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; object-src 'none'",
    "Referrer-Policy": "no-referrer",
}
PAGE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
    # With no-referrer a browser posts forms with "Origin: null", which the CSRF check refuses.
    "Referrer-Policy": "same-origin",
}


def security_headers(content_type: str, *, https: bool) -> dict[str, str]:
    kind = PAGE if content_type.startswith("text/html") else DATA
    hsts = f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains"
    return ALWAYS | kind | ({"Strict-Transport-Security": hsts} if https else {})


class SecurityHeadersMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        content_type = response.headers.get("Content-Type", "")
        for name, value in security_headers(content_type, https=request.is_secure()).items():
            response.headers[name] = value
        response.headers.setdefault("Cache-Control", "no-store")
        return response


class SecurityHeaders:
    """WSGI wrapper that fills in what the inner application left out."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        https = environ["wsgi.url_scheme"] == "https"

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            return start_response(status, completed(headers, https=https), *exc_info)

        return self.application(environ, start)


def completed(headers: list[tuple[str, str]], *, https: bool) -> list[tuple[str, str]]:
    present = {name.lower(): value for name, value in headers}
    wanted = security_headers(present.get("content-type", ""), https=https)
    missing = [(name, value) for name, value in wanted.items() if name.lower() not in present]
    return [*headers, *missing]
