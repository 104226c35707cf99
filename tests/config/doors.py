"""Two ways to a running product: straight to its server, and over TLS through nginx."""

import http.client
import json
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.gateway import HOST

OPERATOR, PASSWORD = "operator", "tide and time"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name: str) -> str:
        return ", ".join(self.all(name))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, eq=False)
class Door:
    name: str
    connect: Callable[[], http.client.HTTPConnection]
    https: bool
    extra: Mapping[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Header names are given with underscores."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            given.setdefault("Content-Type", "application/json")
        connection = self.connect()
        try:
            connection.request(method, path, body, {"Host": HOST, **self.extra, **given})
            return read(connection.getresponse())
        finally:
            connection.close()

    def post(self, path: str, document: Any, **headers: str) -> Answer:
        return self.ask("POST", path, json.dumps(document).encode(), **headers)

    def say(self, words: bytes) -> Answer:
        """Whatever is said, whether it is HTTP or not, and what is answered."""
        connection = self.connect()
        connection.connect()
        try:
            connection.sock.sendall(words)
            response = http.client.HTTPResponse(connection.sock)
            response.begin()
            return read(response)
        finally:
            connection.close()

    def sign_in(self) -> str:
        login = {"username": OPERATOR, "password": PASSWORD}
        return str(self.post("/api/v1/auth/token", login).json["access"])

    @cached_property
    def bearer(self) -> str:
        return f"Bearer {self.sign_in()}"

    @cached_property
    def cookie(self) -> str:
        """Of an operator who has logged in to the admin."""
        login = "/admin/login/"
        page = self.ask("GET", login)
        token = re.search(rb'csrfmiddlewaretoken" value="(\w+)"', page.body)
        assert token
        form = f"csrfmiddlewaretoken={token[1].decode()}&username={OPERATOR}&password={PASSWORD}"
        answer = self.ask(
            "POST", login, form.replace(" ", "+").encode(), Cookie=crumbs(page),
            Content_Type="application/x-www-form-urlencoded", Referer=f"https://{HOST}{login}",
        )  # fmt: skip
        assert answer.status == 302, answer
        return crumbs(answer)


def read(response: http.client.HTTPResponse) -> Answer:
    return Answer(response.status, tuple(response.getheaders()), response.read())


def crumbs(answer: Answer) -> str:
    return "; ".join(text.partition(";")[0] for text in answer.all("Set-Cookie"))


def straight(port: int) -> Door:
    """As a proxy that the product trusts would come."""
    secure = {"X-Forwarded-Proto": "https"}
    return Door("straight", lambda: http.client.HTTPConnection("127.0.0.1", port), True, secure)


def unencrypted(port: int) -> Door:
    return Door("unencrypted", lambda: http.client.HTTPConnection("127.0.0.1", port), False)


def encrypted(port: int, trust: ssl.SSLContext) -> Door:
    return Door(
        "encrypted", lambda: http.client.HTTPSConnection("127.0.0.1", port, context=trust), True
    )
