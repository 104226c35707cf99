"""Every kind of answer of a running product, on every route, through both doors."""

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from config.headers import Policy
from config.problems import CODES
from tests.gateway import HOST, Gateway
from tests.product import Product, free_port, until
from tests.servers import scratch

from .doors import PASSWORD, Answer, Door, encrypted, straight, unencrypted
from .observatory import Seen, grade, score

pytestmark = pytest.mark.live
ORIGIN = "https://app.example"
STYLES = "/static/admin/css/base.css"


@dataclass(frozen=True)
class House:
    straight: Door
    unencrypted: Door
    encrypted: Door
    gateway: Gateway


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    running = Product(
        scratch(),
        DJANGO_SETTINGS_MODULE="tests.config.failing_settings",
        ALLOWED_HOSTS=HOST,
        TRUSTED_PROXIES="127.0.0.1/32",
        CORS_ALLOWED_ORIGINS=ORIGIN,
        OPERATOR_PASSWORD=PASSWORD,
    )
    port = int(running.url.rpartition(":")[2])
    gateway = Gateway(port)
    rooms = House(straight(port), unencrypted(port), encrypted(gateway.tls, gateway.trust), gateway)
    # Both processes are to know the circuit of it, and the kernel chooses whom we ask.
    CASES["created"][1].ask(rooms.straight)
    until(lambda: all(known(rooms.straight) for _ in range(10)))
    yield rooms
    gateway.stop()
    assert running.stop() == 0


def known(door: Door) -> bool:
    return Case("GET", CIRCUIT, signed=True).ask(door).status == 200


@dataclass(frozen=True)
class Case:
    method: str
    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    signed: bool = False

    def ask(self, door: Door, **more: str) -> Answer:
        headers = {"Authorization": door.bearer} if self.signed else {}
        given = {name: value.format(door=door.name) for name, value in self.headers.items()}
        return door.ask(self.method, self.path, self.body, **headers, **given, **more)


def get(path: str, **headers: str) -> Case:
    return Case("GET", path, headers=headers)


ME, TOKEN, GENERATIONS = "/api/v1/auth/me", "/api/v1/auth/token", "/api/v1/generations"
# Of the order below.
CIRCUIT = "/api/v1/breakers/imagen:us-central1:imagen-4.0-generate-001"
ORDER = b'{"service": "imagen", "prompt": "a lighthouse"}'
LOCKED = b'{"username": "nobody", "password": "a guess"}'
PREFLIGHT = {"Origin": ORIGIN, "Access_Control_Request_Method": "POST"}
# By the name of the case, what it must be answered with.
CASES: dict[str, tuple[set[int], Case]] = {
    "ok": ({200}, Case("GET", ME, signed=True)),
    "created": (
        {200, 201},
        Case("POST", GENERATIONS, ORDER, {"Idempotency_Key": "{door}"}, signed=True),
    ),
    "part": ({206}, get(STYLES, Range="bytes=0-9")),
    "root": ({302}, get("/")),
    "to the login page": ({302}, get("/admin/")),
    "not modified": ({304}, get(STYLES, If_Modified_Since="Fri, 01 Jan 2100 00:00:00 GMT")),
    "malformed": ({400}, Case("POST", TOKEN, b"{")),
    "invalid": ({400}, Case("POST", TOKEN, b"{}")),
    "bad host": ({400}, get(ME, Host="evil.example")),
    "bad host of a page": ({400}, get("/admin/login/", Host="evil.example")),
    "suspicious": ({400}, get("/api/plain/suspicious")),
    "no credentials": ({401}, get(ME)),
    "bad token": ({401}, get(ME, Authorization="Bearer x.y.z")),
    "forbidden": ({403}, get("/api/plain/forbidden")),
    "no CSRF token": ({403}, Case("POST", "/admin/login/", b"username=x",
                                  {"Content_Type": "application/x-www-form-urlencoded"})),
    "no CSRF token, no page": ({403}, Case("POST", "/api/plain/bug", b"")),
    "not found": ({404}, get("/api/v1/nowhere")),
    "not found outside": ({404}, get("/nowhere")),
    "not found, for people": ({404}, get("/nowhere", Accept="text/html")),
    "no static file": ({404}, get("/static/nowhere.css")),
    "wrong method": ({405}, Case("DELETE", TOKEN)),
    "wrong method for health": ({405}, Case("POST", "/health", b"")),
    "trace": ({405}, Case("TRACE", ME)),
    "conflict": ({409}, get("/api/plain/busy")),
    "large, and not read": ({401}, Case("POST", GENERATIONS, b" " * 900_000)),
    "condition not met": ({412}, Case("PATCH", f"{CIRCUIT}/config", b'{"open_timeout": 30}',
                                      {"If_Match": '"of yesterday"'}, signed=True)),
    "too large": ({413}, Case("POST", TOKEN, b" " * 70_000)),
    "no JSON": ({415}, Case("POST", TOKEN, b"a=b", {"Content_Type": "text/plain"})),
    "key reused": ({422}, Case("POST", GENERATIONS, ORDER.replace(b"house", b"ship"),
                               {"Idempotency_Key": "{door}"}, signed=True)),
    "locked": ({423}, Case("POST", TOKEN, LOCKED)),
    "throttled": ({429}, get("/api/drf/throttled")),
    "bug": ({500}, get("/api/plain/bug")),
    "bug in a page": ({500}, get("/admin/bug")),
    "circuit open": ({503}, get("/api/plain/circuit")),
    "no database": ({503}, get("/api/drf/database")),
    "late": ({504}, get("/api/plain/late")),
    "head": ({200}, Case("HEAD", ME, signed=True)),
    "options": ({204}, Case("OPTIONS", ME, signed=True)),
    "preflight": ({200}, Case("OPTIONS", GENERATIONS, headers=PREFLIGHT)),
    "stream": ({200}, get("/api/plain/stream")),
    "a view that weakens": ({200}, get("/api/plain/weak")),
    "static": ({200}, get(STYLES)),
    "head of a static file": ({200}, Case("HEAD", STYLES)),
    "icon": ({200}, get("/favicon.ico")),
    "documentation": ({200}, get("/api/docs")),
    "schema": ({200}, get("/api/schema")),
    "keys": ({200}, get("/.well-known/jwks.json")),
    "login page": ({200}, get("/admin/login/")),
    "health": ({200, 503}, get("/health")),
    "no such service": ({404}, get("/health/nobody")),
    "metrics": ({200}, get("/metrics")),
}  # fmt: skip


def flaws(answer: Answer, path: str, *, https: bool = True) -> list[str]:
    """What is wrong with the headers of an answer: each of the policy once, nothing twice."""
    found = []
    kind = answer.get("Content-Type")
    for name, value in Policy().headers(path, kind, https=https).items():
        if answer.all(name) != [value]:
            found.append(f"{name}: {answer.all(name)}")
    if not https and answer.all("Strict-Transport-Security"):
        found.append("Strict-Transport-Security without TLS")
    counted = Counter(name.lower() for name, _ in answer.headers)
    found += [name for name, times in counted.items() if times > 1 and name != "set-cookie"]
    found += [f"no {name}" for name in {"cache-control", "x-request-id"} - set(counted)]
    if answer.get("Server") not in ("granian", "nginx") or "x-powered-by" in counted:
        found.append(f"tells of itself: {answer.get('Server')}")
    varies = [part.strip().lower() for part in answer.get("Vary").split(",")]
    if path.startswith("/api/") and varies.count("origin") != 1:
        found.append(f"Vary: {answer.get('Vary')}")
    return found


def shared(answer: Answer) -> dict[str, str]:
    return {k.lower(): v for k, v in answer.headers if k.lower().startswith("access-control-")}


def test_every_kind_of_answer_has_each_header_once(house: House) -> None:
    doors = [house.straight, house.encrypted]
    for _ in range(6):
        doors[0].ask("POST", TOKEN, LOCKED)
    wrong: dict[str, Any] = {}
    for door, (name, (statuses, case)) in product(doors, CASES.items()):
        answer = case.ask(door)
        if answer.status not in statuses:
            wrong[f"{name}, {door.name}"] = answer.status, answer.body[:300]
        elif found := flaws(answer, case.path):
            wrong[f"{name}, {door.name}"] = found
    spare = Case("POST", "/api/v1/auth/logout").ask(
        doors[0], Authorization=f"Bearer {doors[0].sign_in()}"
    )
    assert (spare.status, flaws(spare, "/api/v1/auth/logout")) == (204, [])
    assert wrong == {}


def test_every_kind_of_answer_of_the_api_is_shared_with_the_named_origin_alone(
    house: House,
) -> None:
    wrong: dict[str, Any] = {}
    door = house.straight
    for name, (statuses, case) in CASES.items():
        if name in ("preflight", "trace") or statuses == {413}:
            continue
        ours = shared(case.ask(door, Origin=ORIGIN))
        theirs = shared(case.ask(door, Origin=f"{ORIGIN}/"))
        expected = [ORIGIN] if case.path.startswith("/api/") else []
        if [v for k, v in ours.items() if k == "access-control-allow-origin"] != expected or theirs:
            wrong[name] = ours, theirs
    assert wrong == {}


def routes() -> Iterator[str]:
    yield from _routes(get_resolver("config.urls").url_patterns, "/")


PARAMETER = re.compile(r"<(?:(\w+):)?\w+>")
SAMPLES = {"int": "1", "uuid": "00000000-0000-0000-0000-000000000000"}


def _routes(patterns: list[Any], prefix: str) -> Iterator[str]:
    for entry in patterns:
        match entry:
            case URLPattern(pattern=RoutePattern() as pattern):
                found = re.sub(PARAMETER, lambda match: SAMPLES.get(match[1], "x"), str(pattern))
                yield prefix + found
            case URLResolver(pattern=RoutePattern() as pattern):
                yield from _routes(entry.url_patterns, prefix + str(pattern))


BODY = {"Content_Type": "application/json"}
SWEEP = (
    ("GET", None, {}),
    ("HEAD", None, {}),
    ("OPTIONS", None, {}),
    ("OPTIONS", None, PREFLIGHT),
    ("GET", None, {"Host": "evil.example"}),
    ("GET", None, {"Authorization": "Bearer x.y.z"}),
    ("POST", b"{}", BODY),
    ("POST", b"{", BODY),
    ("POST", b"a=b", {"Content_Type": "text/plain"}),
    ("PUT", b"{}", BODY),
    ("PATCH", b"{}", BODY),
    ("DELETE", None, {}),
    ("TRACE", None, {}),
)
SIGNED = (("GET", None), ("HEAD", None), ("POST", b"{}"), ("PUT", b"{}"), ("DELETE", None))


def test_every_route_has_them_whoever_asks_and_whatever_for(house: House) -> None:
    door, paths = house.straight, list(routes())
    assert len(paths) > 60
    asked = [
        Case(method, path, body, headers) for path, (method, body, headers) in product(paths, SWEEP)
    ]
    api = [path for path in paths if path.startswith("/api/v1/") and not path.endswith("/logout")]
    asked += [Case(method, path, body, BODY if body else {}, signed=True)
              for path, (method, body) in product(api, SIGNED)]  # fmt: skip
    asked += [get(path, Cookie=door.cookie) for path in paths if path.startswith("/admin/")]
    assert door.bearer

    def wrong(case: Case) -> Any:
        answer = case.ask(door)
        found = flaws(answer, case.path)
        return found or (answer.status if answer.status in (500, 502) else None)

    with ThreadPoolExecutor(4) as pool:
        found = zip(asked, pool.map(wrong, asked), strict=True)
    assert {case: flaw for case, flaw in ((str(c), f) for c, f in found) if flaw} == {}


START = b" HTTP/1.1\r\nHost: mainstay.example\r\n"
# More than a line may have, and less than a record of TLS: nothing is left unread.
LONG = 10_000 * b"a"
REFUSED = {
    "no HTTP": (400, b"GARBAGE\r\n\r\n"),
    "no host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "trace": (405, b"TRACE /" + START + b"\r\n"),
    "large body": (413, b"POST /api/v1/auth/token" + START + b"Content-Length: 9999999\r\n\r\n"),
    "long address": (414, b"GET /" + LONG + START + b"\r\n"),
    "large headers": (431, b"GET /" + START + b"X: " + LONG + b"\r\n\r\n"),
    "odd letters": (400, b"GET /\xc3\xa9?<x>" + START + b"\r\n"),
    "strange coding": (501, b"POST /" + START + b"Transfer-Encoding: gzip\r\n\r\n"),
    "strange version": (505, b"GET / HTTP/9.1\r\nHost: mainstay.example\r\n\r\n"),
}


def test_what_nginx_refuses_looks_as_if_the_product_had(house: House) -> None:
    wrong: dict[str, Any] = {}
    for name, (status, words) in REFUSED.items():
        answer = house.encrypted.say(words)
        if found := flaws(answer, "/"):
            wrong[name] = answer.status, found
        elif (answer.status, answer.get("Content-Type")) != (status, "application/problem+json"):
            wrong[name] = answer
        elif answer.json["status"] != status or answer.json["code"] not in CODES:
            wrong[name] = answer.json
    assert wrong == {}


ALLOWED = "access-control-allow-origin"


def test_scripts_of_our_origins_may_see_what_nginx_refuses(house: House) -> None:
    """And those of others not; what the product answers says so itself, once."""
    asked = {
        "nginx": b"POST /api/v1/auth/token"
        + START
        + b"Content-Length: 9999999\r\nOrigin: %b\r\n\r\n",
        "product": b"GET /api/v1/auth/me" + START + b"Connection: close\r\nOrigin: %b\r\n\r\n",
    }
    for words in asked.values():
        ours = house.encrypted.say(words % ORIGIN.encode())
        theirs = house.encrypted.say(words % b"https://app.example.evil.example")
        assert [v for k, v in ours.headers if k.lower() == ALLOWED] == [ORIGIN]
        assert shared(theirs) == {}
        assert "origin" in ours.get("Vary").lower() and "origin" in theirs.get("Vary").lower()


def test_what_the_server_refuses_gets_its_headers_from_nginx(house: House) -> None:
    words = b"GET /`" + START + b"\r\n"
    assert flaws(house.straight.say(words), "/") != []
    answer = house.encrypted.say(words)
    assert (answer.status, flaws(answer, "/")) == (400, [])


def test_nginx_says_that_nobody_is_behind_it() -> None:
    gateway = Gateway(free_port())
    try:
        answer = encrypted(gateway.tls, gateway.trust).ask("GET", '/api/"x?y')
    finally:
        gateway.stop()
    assert (answer.status, flaws(answer, "/")) == (502, [])
    assert (answer.json["code"], answer.json["instance"]) == ("server_unavailable", "/api/")
    assert answer.json["code"] in CODES


def test_without_tls_there_is_a_way_to_it_and_no_promise(house: House) -> None:
    plain = unencrypted(house.gateway.plain)
    for door in (plain, house.unencrypted):
        answer = door.ask("GET", f"{ME}?x=1")
        assert (answer.status, answer.get("Location")) == (301, f"https://{HOST}{ME}?x=1")
        assert flaws(answer, ME, https=False) == []
    mistaken = unencrypted(house.gateway.tls).ask("GET", "/")
    assert (mistaken.status, mistaken.json["code"]) == (400, "malformed")
    assert flaws(mistaken, "/", https=False) == []


POINTS = {"/": 150, "/admin/login/": 155, "/api/docs": 150, "/api/schema": 150, ME: 150}


def test_the_observatory_gives_its_best_grade(house: House) -> None:
    points = {path: score(seen(house, path)) for path in POINTS}
    assert points == POINTS
    assert {grade(found) for found in points.values()} == {"A+"}


def seen(house: House, path: str) -> Seen:
    answer = house.encrypted.ask("GET", path)
    foreign = house.encrypted.ask("GET", path, Origin="https://http-observatory.example")
    plain = unencrypted(house.gateway.plain).ask("GET", path)
    return Seen(
        host=HOST,
        headers={name.lower(): value for name, value in answer.headers},
        cookies=tuple(answer.all("Set-Cookie")),
        http_location=plain.get("Location"),
        with_foreign_origin=shared(foreign),
    )
