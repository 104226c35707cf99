"""The ASGI application, for servers that speak only that; the WSGI one is several times faster."""

import os
from collections.abc import Iterable
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_asgi_application()

from config.addresses import seen_through  # noqa: E402
from config.headers import SecurityHeaders  # noqa: E402
from health import checker  # noqa: E402
from health.responder import HealthResponder  # noqa: E402

PASSED_ON: list[bytes] = []


def _pass_on(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    return PASSED_ON


# It answers from memory, so it may run on the event loop; a thread pool could be full just when
# the answer matters.
health = SecurityHeaders(HealthResponder(_pass_on))


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        scope = _seen(scope, headers)
        if (answer := _from_memory(scope, headers)) is not None:
            for message in answer:
                await send(message)
            return
    await django_application(scope, receive, send)


def _seen(scope: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    peer, port = scope.get("client") or ("", 0)
    address, scheme = seen_through(
        peer,
        scope["scheme"],
        forwarded_for=headers.get("x-forwarded-for", ""),
        forwarded_proto=headers.get("x-forwarded-proto", ""),
    )
    return {**scope, "client": (address, port), "scheme": scheme}


def _from_memory(scope: dict[str, Any], headers: dict[str, str]) -> list[dict[str, Any]] | None:
    started: list[dict[str, Any]] = []
    body = health(_environ(scope, headers), _starter(started))
    if body is PASSED_ON:
        return None
    return [*started, {"type": "http.response.body", "body": b"".join(body)}]


def _environ(scope: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": scope["path"],
        "REMOTE_ADDR": scope["client"][0],
        "wsgi.url_scheme": scope["scheme"],
        "HTTP_ACCEPT": headers.get("accept", ""),
        "HTTP_AUTHORIZATION": headers.get("authorization", ""),
    }


def _starter(started: list[dict[str, Any]]) -> Any:
    def start_response(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> None:
        started.append(
            {
                "type": "http.response.start",
                "status": int(status[:3]),
                "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
            }
        )

    return start_response


checker.start()
