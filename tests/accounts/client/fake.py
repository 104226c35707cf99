"""A server of tokens in memory, which rotates as the real one does; test_live has the real one."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import httpx2

SITE = "https://mainstay.example"


class FakeServer:
    def __init__(self) -> None:
        self.lifetime = 3600.0
        self.clock: Callable[[], float] = time.time
        self.tells_time = True
        self.alive = True
        self.generation = 0
        self.accepted: set[str] = set()
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.requests: list[httpx2.Request] = []
        self.answers: dict[str, list[httpx2.Response | Exception]] = {}
        """What to answer instead, by path, once each."""
        self.before: Callable[[str], None] = lambda path: None
        self._lock = threading.Lock()

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/api/v1/auth/")
        with self._lock:
            self.asked[path] += 1
            self.requests.append(request)
        self.before(path)
        with self._lock:
            if waiting := self.answers.get(path):
                answer = waiting.pop(0)
                if isinstance(answer, Exception):
                    raise answer
                # A copy: parameters of a test are one object for all its cases.
                return httpx2.Response(
                    answer.status_code, headers=answer.headers, content=answer.content
                )
            match path:
                case "token" | "token/refresh" | "token/revoke" | "password/change":
                    self.bodies.append(json.loads(request.content))
                    return self._auth(path, self.bodies[-1])
            return self._resource(request)

    def _auth(self, path: str, body: dict[str, str]) -> httpx2.Response:
        match path:
            case "token" if body["password"] != "right":
                return problem(401, "invalid_credentials")
            case "token/revoke":
                self.alive = False
                return httpx2.Response(200, json={})
            case "token":
                self.alive = True
            case "token/refresh" if not self.alive:
                return problem(401, "token_revoked")
            case "token/refresh" if body["refresh"] != f"refresh-{self.generation}":
                self.alive = False
                return problem(401, "token_reused")
        return self._pair(path)

    def _pair(self, path: str) -> httpx2.Response:
        self.generation += 1
        self.accepted.add(f"Bearer access-{self.generation}")
        end = datetime.fromtimestamp(self.clock() + self.lifetime, UTC)
        body = {
            "access": f"access-{self.generation}",
            "refresh": f"refresh-{self.generation}",
            "access_expires_at": end.isoformat(),
        }
        if path == "token":
            body["device_token"] = "device-1"
        now = datetime.fromtimestamp(self.clock(), UTC)
        headers = {"Date": format_datetime(now, usegmt=True)} if self.tells_time else {}
        return httpx2.Response(200, json=body, headers=headers)

    def _resource(self, request: httpx2.Request) -> httpx2.Response:
        given = request.headers.get("Authorization")
        if given is None:
            return problem(401, "not_authenticated")
        if not self.alive:
            return problem(401, "token_revoked")
        if given not in self.accepted:
            return problem(401, "token_expired")
        return httpx2.Response(200, json={"token": given})

    def expire(self) -> None:
        """Every access token so far, without the client's knowledge."""
        self.accepted.clear()


class Wire(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Carries requests to a fake server. As on a real wire, what was streamed is gone then."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        assert isinstance(request.stream, httpx2.SyncByteStream)
        return self._arrive(request, b"".join(request.stream))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        return self._arrive(request, b"".join([piece async for piece in request.stream]))

    def _arrive(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        headers = request.headers
        return self.server(
            httpx2.Request(request.method, request.url, headers=headers, content=body)
        )


def problem(status: int, code: str, **headers: str) -> httpx2.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"code": code, "detail": f"This is {code}."}
    return httpx2.Response(status, json=body, headers=names)
