"""The ASGI application, for servers that speak only that; the WSGI one is several times faster."""

import os
from collections.abc import Iterable
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_asgi_application()

from config.addresses import ClientAddress  # noqa: E402
from config.bodies import again, bounded, unmeasured  # noqa: E402
from config.current import Current  # noqa: E402
from config.headers import AsyncSecurityHeaders, SecurityHeaders, encoded  # noqa: E402
from config.logs import report_all  # noqa: E402
from config.requests import Exchange  # noqa: E402
from health import checker, draining  # noqa: E402
from health.responder import HealthResponder  # noqa: E402

PASSED_ON: list[bytes] = []


def _pass_on(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    return PASSED_ON


# It answers from memory, so it may run on the event loop; a thread pool could be full just when
# the answer matters.
outside = SecurityHeaders(ClientAddress(HealthResponder(_pass_on)))
inside = AsyncSecurityHeaders(django_application)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":  # nothing here speaks it
        await send({"type": "websocket.close"})
        return
    if scope["type"] != "http":
        await inside(scope, receive, send)
        return
    environ = _environ(scope)
    with Exchange(environ) as current:
        await _answer(environ, scope, receive, _telling(send, current))


async def _answer(environ: dict[str, Any], scope: dict[str, Any], receive: Any, send: Any) -> None:
    started: list[dict[str, Any]] = []
    body = outside(environ, _starter(started))
    if body is not PASSED_ON:
        await send(started[0])
        await send({"type": "http.response.body", "body": b"".join(body)})
        return
    client = (environ["REMOTE_ADDR"], (scope.get("client") or ("", 0))[1])
    scope = {**scope, "client": client, "scheme": environ["wsgi.url_scheme"]}
    first = await receive()
    if unmeasured(scope, first):
        scope = {**scope, "headers": [*scope["headers"], (b"transfer-encoding", b"chunked")]}
    await inside(scope, bounded(scope, again(first, receive)), send)


def _telling(send: Any, current: Current) -> Any:
    """Notes the status of what is sent, and adds the id."""

    async def tell(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            current.status = message["status"]
            headers = [*message["headers"], *encoded([("X-Request-ID", current.id)])]
            message = {**message, "headers": headers}
        await send(message)

    return tell


def _environ(scope: dict[str, Any]) -> dict[str, Any]:
    """What the WSGI wrappers read."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        # One with an underscore would pass for that with a dash, which a proxy vouches for.
        if b"_" not in name:
            key = f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}"
            text = value.decode("latin-1")
            headers[key] = f"{headers[key]},{text}" if key in headers else text
    return {
        **headers,
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "REMOTE_ADDR": (scope.get("client") or ("", 0))[0],
        "wsgi.url_scheme": scope["scheme"],
    }


def _starter(started: list[dict[str, Any]]) -> Any:
    def start_response(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> None:
        started.append(
            {
                "type": "http.response.start",
                "status": int(status[:3]),
                "headers": encoded(headers),
            }
        )

    return start_response


report_all()
checker.start()
draining.install()
