"""The ASGI application, for servers that speak only that; the WSGI one is several times faster."""

import os
from collections.abc import Iterable
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_asgi_application()

from config.addresses import ClientAddress  # noqa: E402
from config.bodies import bounded  # noqa: E402
from config.headers import AsyncSecurityHeaders, SecurityHeaders, encoded  # noqa: E402
from health import checker  # noqa: E402
from health.responder import HealthResponder  # noqa: E402

PASSED_ON: list[bytes] = []


def _pass_on(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    return PASSED_ON


# It answers from memory, so it may run on the event loop; a thread pool could be full just when
# the answer matters.
outside = SecurityHeaders(ClientAddress(HealthResponder(_pass_on)))
inside = AsyncSecurityHeaders(django_application)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        environ = _environ(scope)
        started: list[dict[str, Any]] = []
        body = outside(environ, _starter(started))
        if body is not PASSED_ON:
            await send(started[0])
            await send({"type": "http.response.body", "body": b"".join(body)})
            return
        client = (environ["REMOTE_ADDR"], (scope.get("client") or ("", 0))[1])
        scope = {**scope, "client": client, "scheme": environ["wsgi.url_scheme"]}
        receive = bounded(scope, receive)
    await inside(scope, receive, send)


def _environ(scope: dict[str, Any]) -> dict[str, Any]:
    """What the WSGI wrappers read."""
    headers = {
        f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}": value.decode("latin-1")
        for name, value in scope["headers"]
    }
    return {
        **headers,
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": scope["path"],
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


checker.start()
