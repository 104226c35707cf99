"""Whatever is sent to any route below ``auth/``: a refusal that explains itself, at no expense.

The routes and their fields are those of the OpenAPI document, so what is added later is tried too.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any, ClassVar

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from drf_spectacular.generators import SchemaGenerator
from pytest_django import Settings

from accounts import keys
from accounts.claims import SHAPE
from accounts.models import LoginSession
from tests.hashers import QuickArgon2

from .conftest import PASSWORD, Call, Json
from .forge import encoded, forged, hs256, payload

pytestmark = pytest.mark.django_db

AUTH = "/api/v1/auth/"


class Counted(QuickArgon2):
    work: ClassVar[int] = 0

    def encode(self, password: str, salt: str) -> str:
        Counted.work += 1
        return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        Counted.work += 1
        return super().verify(password, encoded)


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    protected: bool
    fields: dict[str, str]
    """Names and JSON types of what the body may hold."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def lookups(self) -> int:
        """Whose token it is, and what the path names."""
        return self.protected + self.named

    @property
    def named(self) -> bool:
        return "{id}" in self.path

    def refused_as(self, status: int) -> tuple[int, ...]:
        """What the path names, and is not there, may be looked for first."""
        return (status, 404) if self.named else (status,)

    def example(self) -> Json:
        return {name: EXAMPLES[kind] for name, kind in self.fields.items()}

    def at(self, identity: str = "1") -> str:
        return self.path.replace("{id}", identity)


@cache
def operations() -> list[Operation]:
    document: Any = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    schemas = document["components"]["schemas"]
    return [
        Operation(method.upper(), path, {} not in told["security"], _fields(told, schemas))
        for path, methods in document["paths"].items()
        if path.startswith(AUTH)
        for method, told in methods.items()
    ]


def _fields(told: Json, schemas: Json) -> dict[str, str]:
    if "requestBody" not in told:
        return {}
    name = told["requestBody"]["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
    properties = schemas[name]["properties"]
    return {field: str(shape.get("type", "string")) for field, shape in properties.items()}


def with_body() -> list[Operation]:
    return [operation for operation in operations() if operation.fields]


def protected() -> list[Operation]:
    return [operation for operation in operations() if operation.protected]


@pytest.fixture
def access(operator: User, call: Call, settings: Settings) -> str:
    """Of somebody who may do everything, so that no refusal is for want of a right."""
    body = {"username": "operator", "password": PASSWORD}
    token = str(call("POST", "token", body).json()["access"])
    settings.PASSWORD_HASHERS = [f"{__name__}.Counted"]
    Counted.work = 0
    return token


@dataclass(frozen=True)
class Told:
    status: int
    problem: Json
    queries: int


def send(
    operation: Operation,
    body: str | bytes = b"",
    *,
    access: str | None = None,
    header: str | None = None,
    path: str | None = None,
    content_type: str = "application/json",
) -> Told:
    """Nothing that is sent here may be worth a hash, a 500 or an answer of another kind."""
    headers = {"Authorization": f"Bearer {access}"} if operation.protected and access else {}
    if header is not None:
        headers = {"Authorization": header}
    with CaptureQueriesContext(connection) as captured:
        answer = Client(raise_request_exception=False).generic(
            operation.method, path or operation.at(), body, content_type, headers=headers
        )
    case = f"{operation} {body[:80]!r} {str(header)[:80]!r} {content_type} -> {answer.status_code}"
    assert Counted.work == 0, case
    assert answer.status_code < 500, case
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json", case
        assert answer.json()["status"] == answer.status_code, case
        assert len(answer.content) < 5_000, case
    if answer.status_code == 401:
        assert answer.headers["WWW-Authenticate"], case
    told = answer.json() if answer.content else {}
    return Told(answer.status_code, told, len(captured))


def test_every_route_is_tried() -> None:
    assert {str(operation).replace(AUTH, "") for operation in operations()} >= {
        "POST token", "POST token/refresh", "POST token/revoke", "POST logout",
        "POST password/change", "GET me", "GET sessions", "DELETE sessions/{id}",
        "POST sessions/revoke-others",
    }  # fmt: skip


BODIES = {
    "empty": (b"", 400),
    "spaces": (b"   ", 400),
    "cut off": (b'{"username": "a', 400),
    "a list": (b"[]", 400),
    "a string": (b'"x"', 400),
    "a number": (b"7", 400),
    "null": (b"null", 400),
    "not a number": (b'{"username": NaN}', 400),
    "a name twice": (b'{"username": "a", "username": "b"}', 400),
    "not UTF-8": (b'{"username": "\xff"}', 400),
    "a byte order mark": (b'\xef\xbb\xbf{"username": "a"}', 400),
    "UTF-16": ('{"username": "a"}'.encode("utf-16"), 400),
    "half a surrogate pair": (rb'{"username": "\ud800"}', 400),
    "half a surrogate pair as a name": (rb'{"\udfff": "a"}', 400),
    "deep": (b'{"username":' + b"[" * 60_000, 400),
    "deep and whole": (b'{"username":' + b"[" * 30_000 + b"]" * 30_000 + b"}", 400),
    "a number without end": (b'{"username": ' + b"9" * 10_000 + b"}", 400),
    "an unknown field": (b'{"is_superuser": true}', 400),
    "a name without end": (b'{"' + b"x" * 60_000 + b'": 1}', 400),
    "many names": (json.dumps(dict.fromkeys(map(str, range(5_000)), 1)).encode(), 400),
    "64 kB": (b'{"username": "a"}'.ljust(65_537), 413),
    "3 MB": (b'{"username": "' + b"x" * 3_000_000 + b'"}', 413),
    "3 MB of spaces": (b" " * 3_000_000, 413),
}


def test_a_body_of_another_kind_is_refused(access: str) -> None:
    for operation, (case, (body, status)) in product(with_body(), BODIES.items()):
        told = send(operation, body, access=access)
        assert told.status in operation.refused_as(status), (operation, case, told)
        assert told.queries <= operation.lookups, (operation, case, told)


TYPES = (
    "text/plain", "text/html", "application/xml", "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded", "application/octet-stream", "json", "a/b/c",
    "application/json/x", "é", "x" * 5_000,
)  # fmt: skip


def test_a_body_of_another_type_is_refused(access: str) -> None:
    for operation, content_type in product(with_body(), TYPES):
        told = send(operation, b'{"username": "a"}', access=access, content_type=content_type)
        assert told.status in operation.refused_as(415), (operation, content_type, told)
        assert told.queries <= operation.lookups, (operation, content_type, told)


# Each of a JSON type that its name begins with; the rest is text that nothing could be made of.
VALUES: dict[str, Any] = {
    "null": None,
    "boolean": True,
    "integer": 7,
    "integer, large": 10**400,
    "number": 1.5,
    "array": [],
    "array of text": ["ada"],
    "object": {},
    "object with text": {"username": "ada"},
    "string with NUL": "ada\0",
    "string of 60 kB": "x" * 60_000,
    "string of 30,000 other letters": "é" * 30_000,
}


def test_a_field_of_another_kind_is_refused(access: str) -> None:
    for operation, case in product(with_body(), VALUES):
        for field, kind in operation.fields.items():
            if kind == case.split()[0].rstrip(",") and kind != "string":
                continue
            body = json.dumps(operation.example() | {field: VALUES[case]}, ensure_ascii=False)
            told = send(operation, body, access=access)
            refused = told.status in operation.refused_as(400)
            if field in TOKENS and case.startswith("string of"):
                # What is no token is told apart as such, or not at all where nobody may know.
                refused |= told.status == 401 or told.problem in ({}, {"active": False})
            assert refused, (operation, field, case, told)
            assert told.queries <= operation.lookups, (operation, field, case, told)


TOKENS = ("token", "refresh", "token_type_hint")
EXAMPLES = {"string": "x", "integer": 1, "number": 1.0, "boolean": True, "array": [], "object": {}}


HEADERS = {
    "nothing": "",
    "a scheme alone": "Bearer",
    "a scheme and a space": "Bearer ",
    "spaces": "Bearer      ",
    "two spaces": "Bearer  a.b.c",
    "a tab": "Bearer\ta.b.c",
    "lower case": "bearer a.b.c",
    "upper case": "BEARER a.b.c",
    "two tokens": "Bearer a.b.c d.e.f",
    "two by comma": "Bearer a.b.c, Bearer d.e.f",
    "commas": "Bearer ,,,,",
    "quotes": 'Bearer "a.b.c"',
    "a parameter": "Bearer token=a.b.c",
    "no scheme": "a.b.c",
    "a scheme twice": "Bearer Bearer a.b.c",
    "a space before": " Bearer a.b.c",
    "a line": "Bearer a.b.c\r\nX-Other: 1",
    "NUL": "Bearer a\0b",
    "not ASCII": "Bearer é.é.é",
    "not Latin": "Bearer 令牌".encode().decode("latin-1"),
    "a high byte": "Bearer \xff\xfe",
    "empty parts": "Bearer ..",
    "1 MB": "Bearer " + "x" * 1_000_000,
    "1 MB of dots": "Bearer " + "." * 1_000_000,
    "1 MB of scheme": "x" * 1_000_000,
    "Basic": "Basic YWRhOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ==",
    "Token": "Token a.b.c",
    "Digest": 'Digest username="ada"',
    "Signature": 'Signature keyId="a"',
}


def tried(operations: list[Operation]) -> Iterator[tuple[Operation, str, str]]:
    """All on the first, and some on the others, which read the header by the same code."""
    for number, operation in enumerate(operations):
        for case in HEADERS if number == 0 else ("nothing", "a tab", "two by comma", "NUL", "1 MB"):
            yield operation, case, HEADERS[case]


def test_a_malformed_header_is_refused_and_nothing_looked_up(access: str) -> None:
    for operation, case, header in tried(protected()):
        told = send(operation, b"{}", header=header)
        assert told.status == 401, (operation, case, told)
        assert told.problem["code"] in ("not_authenticated", "token_invalid"), (operation, case)
        assert told.queries == 0, (operation, case, told)


def test_where_nobody_is_asked_for_a_token_the_header_is_not_read(access: str) -> None:
    for operation, case, header in tried([one for one in with_body() if not one.protected]):
        told = send(operation, b"{}", header=header)
        assert (told.status, told.queries) == (400, 0), (operation, case, told)


def test_a_good_token_in_a_bad_header_is_no_token(access: str) -> None:
    for operation, header in product(
        protected(),
        (
            f"Bearer {access.upper()}", f"Bearer {access} {access}", f"Bearer {access},{access}",
            f"Bearer {access}=", f"Bearer {access} ", f"Bearer  {access}", f"Bearer\t{access}",
            f'Bearer "{access}"', f"Bearer:{access}", f"Bearer{access}", access,
        ),
    ):  # fmt: skip
        told = send(operation, b"{}", header=header)
        assert (told.status, told.queries) == (401, 0), (operation, header[-20:], told)


def evil(token: str) -> Iterator[tuple[str, str]]:
    """Tokens that only a fool or a thief sends, all signed as well as they can be."""
    said, ours = payload(token), {"alg": "EdDSA", "kid": keys.ring().kid, "typ": "JWT"}
    for name, kind in SHAPE.items():
        for wrong in (None, [], "7" if kind is int else 7, 10**400 if kind is int else "a\0b"):
            yield f"{name}={str(wrong)[:20]!r}", forged({**said, name: wrong})
        yield f"no {name}", forged({key: value for key, value in said.items() if key != name})
    for extra in ({"role": "admin"}, {"cnf": {}}, {"": 1}):
        yield f"with {extra}", forged(said | extra)
    for header in (
        {"alg": "none"}, {"alg": "None"}, {"alg": "HS256"}, {"alg": "HS512"}, {"alg": "RS256"},
        {"alg": "ES256"}, {"alg": "Ed25519"}, {"alg": "eddsa"}, {"alg": None}, {"alg": ["EdDSA"]},
        {"alg": {}}, {"alg": 7}, {"typ": "at+jwt"}, {"typ": None}, {"kid": None}, {"kid": ""},
        {"kid": 7}, {"kid": ["a"]}, {"kid": {}}, {"kid": "../../dev/null"}, {"kid": "x" * 3000},
        {"kid": "' OR 1=1 --"}, {"kid": "\0"}, {"jku": "https://evil.example/jwks.json"},
        {"x5u": "https://evil.example/cert"}, {"jwk": {"kty": "OKP"}}, {"x5c": ["MII"]},
        {"x5t": "a"}, {"crit": ["exp"]}, {"crit": []}, {"b64": False}, {"zip": "DEF"},
        {"cty": "JWT"}, {"enc": "A256GCM"}, {"p2c": 10**9},
    ):  # fmt: skip
        yield f"header {str(header)[:60]}", forged(said, ours | header)
    for secret in (b"", b"secret", keys.ring().private.public_key().public_bytes_raw()):
        yield f"HS256 by {secret[:6]!r}", hs256(said, secret, kid=keys.ring().kid)
    head, body, signature = token.split(".")
    yield "unsigned", f"{head}.{body}."
    yield "of another", f"{head}.{body}.{forged(said, ours | {'x': 1}).split('.')[2]}"
    yield "padded", f"{head}.{body}.{signature}=="
    yield "with spare bits", f"{head}.{body}.{signature[:-1]}{chr(ord(signature[-1]) + 1)}"
    yield "with dust", f"{head}.{body}.{signature[:9]}!{signature[9:]}"
    yield "in five parts", f"{head}.{body}.{signature}.{body}.{signature}"
    yield "deep", f"{encoded(b'[' * 2000)}.{body}.{signature}"
    yield "deep within", f"{head}.{encoded(b'[' * 2000)}.{signature}"
    for other in ([], "x", 7, None, {}):
        yield f"payload {other!r}", forged(other)
    for text in ("a", "a.b", "a.b.c", "....", "é.é.é", "a b", "%00", "null", " " * 9):
        yield f"text {text!r}", text


@pytest.mark.parametrize("path", ["token/refresh", "token/revoke", "token/introspect"])
def test_no_evil_token_does_anything_in_a_body(access: str, call: Call, path: str) -> None:
    pair = call("POST", "token", {"username": "operator", "password": PASSWORD}).json()
    Counted.work = 0
    for operation in with_body():
        if operation.path != AUTH + path:
            continue
        (field,) = operation.fields.keys() & {"token", "refresh"}
        for name, token in evil(pair["refresh"]):
            told = send(operation, json.dumps({field: token}), access=access)
            if path == "token/refresh":
                assert told.status == 401, (name, told)
            else:
                assert (told.status, told.problem) in ((200, {}), (200, {"active": False})), name
            assert told.queries <= operation.protected, (name, told)
    assert LoginSession.objects.filter(revoked_at=None).count() == 2


IDENTITIES = (
    "0", "-1", "1.5", "x", "x" * 44, "x" * 3_000, "%00", "a%00b", "%ff", "%c3%28", "%ed%a0%80",
    "%F0%9F%94%91", "%2e%2e", "..%2f..%2fme", "' OR 1=1 --", "null", "[]", "9" * 400, "%20",
    "%0d%0aX-Other:%201", "{id}", "*",
)  # fmt: skip


def test_an_id_of_nothing_is_not_found(access: str) -> None:
    for operation, identity in product(operations(), IDENTITIES):
        if operation.named:
            body = json.dumps(operation.example())
            told = send(operation, body, access=access, path=operation.at(identity))
            assert told.status in (400, 404, 405), (operation, identity[:20], told)


QUERIES = (
    "cursor=x", "cursor=%00", "cursor=%ff", "cursor=cD0x", "cursor=cD0lMDA%3D",
    "cursor=bz05OTk5OTk5OTk5OTk5OTk5OTk5OTk%3D", "cursor=" + "x" * 3_000, "cursor=a&cursor=b",
    "limit=0", "limit=-1", "limit=x", "limit=99999999999999999999", "limit=%00", "limit=1.5",
    "limit=%C2%B2", "unknown=1", "format=xml",
)  # fmt: skip


def test_a_query_of_nonsense_is_no_error_of_ours(access: str) -> None:
    for operation, query in product(operations(), QUERIES):
        if operation.method == "GET" and not operation.named:
            told = send(operation, access=access, path=f"{operation.path}?{query}")
            assert told.status in (200, 400, 404), (operation, query[:30], told)


METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "FOO", "TRACE")


def test_a_method_that_is_not_there_is_refused(access: str) -> None:
    known = {(operation.method, operation.path) for operation in operations()}
    for method, path in product(METHODS, {path for _, path in known}):
        if (method, path) not in known:
            told = send(Operation(method, path, True, {}), b"{}", access=access)
            assert told.status == 405, (method, path, told)
