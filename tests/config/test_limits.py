import math
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import http_sf
import pytest
import redis
from django.contrib.auth.models import User
from django.http import HttpResponseBase
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.client import Signer
from config import outage as outage_module
from config.limits import outage
from config.outage import LONGEST_PAUSE, Outage
from tests.conftest import signed_in
from tests.product import until
from tests.servers import Valkey

ADDRESS, USER = 3, 4
OPEN, GUARDED = "/api/v1/auth/token/refresh", "/api/v1/auth/me"


@pytest.fixture(autouse=True)
def store_in_reach() -> Iterator[None]:
    outage.reset()
    yield
    outage.reset()


@pytest.fixture
def few(settings: Settings) -> None:
    settings.RATE_LIMITS = {"USER": USER, "ADDRESS": ADDRESS}


Get = Callable[..., Any]


@pytest.fixture
def get(client: Client, db: None) -> Get:
    def get(path: str = GUARDED, address: str = "192.0.2.1", **headers: str) -> Any:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.get(path, REMOTE_ADDR=address, headers=names)

    return get


def fields(response: HttpResponseBase) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    return {
        name: http_sf.parse(response.headers[name].encode(), tltype="list")
        for name in ("RateLimit-Policy", "RateLimit")
    }


def test_who_shows_no_credentials_is_counted_by_address(few: None, get: Get) -> None:
    for left in range(ADDRESS - 1, -1, -1):
        reply = get()
        assert reply.status_code == 401
        ((name, told),) = fields(reply)["RateLimit"]
        assert (name, told["r"]) == ("address", left)
        assert 0 < told["t"] <= 60
        assert fields(reply)["RateLimit-Policy"] == [("address", {"q": ADDRESS, "w": 60})]
    refused = get()
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.headers["Content-Type"] == "application/problem+json"
    ((_, told),) = fields(refused)["RateLimit"]
    assert told["r"] == 0
    assert int(refused.headers["Retry-After"]) == told["t"]
    assert math.ceil(refused.json()["retry_after"]) == told["t"]
    assert get(address="192.0.2.2").status_code == 401


def test_all_routes_share_one_count_and_other_methods_too(few: None, get: Get) -> None:
    get("/api/schema")
    get("/.well-known/jwks.json")
    get(OPEN)
    assert get().status_code == 429


@pytest.mark.parametrize("path", ["/api/nowhere", "/nowhere", "/admin/login/", "/static/none.css"])
def test_other_paths_are_not_counted(few: None, get: Get, path: str) -> None:
    for _ in range(ADDRESS + 1):
        reply = get(path)
        assert reply.status_code in (200, 404)
        assert "RateLimit" not in reply.headers
    assert get().status_code == 401


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"origin": "https://app.example"}, id="a preflight"),
        pytest.param({"authorization": "x"}, id="with credentials"),
        pytest.param({}, id="without"),
    ],
)
def test_options_are_not_counted(
    few: None, client: Client, settings: Settings, more: dict[str, str]
) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    asked = {"access-control-request-method": "POST"} | more
    for _ in range(ADDRESS + 1):
        reply = client.options(GUARDED, headers=asked)
        assert reply.status_code < 300
        assert "RateLimit" not in reply.headers


def test_a_page_elsewhere_may_read_the_limits(few: None, get: Get, settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    for _ in range(ADDRESS + 1):
        reply = get(origin="https://app.example")
    assert reply.status_code == 429
    assert reply.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "RateLimit, RateLimit-Policy" in reply.headers["Access-Control-Expose-Headers"]


def test_a_network_of_ipv6_is_one_caller_and_a_site_is_four(few: None, get: Get) -> None:
    for host in range(ADDRESS):
        reply = get(address=f"2001:db8:1:1::{host}")
        assert reply.status_code == 401
    policies = fields(reply)["RateLimit-Policy"]
    assert [(name, told["q"]) for name, told in policies] == [
        ("address", ADDRESS),
        ("site", 4 * ADDRESS),
    ]
    assert get(address="2001:db8:1:1:ffff::").status_code == 429
    for network in range(2, 5):
        for _ in range(ADDRESS):
            assert get(address=f"2001:db8:1:{network}::1").status_code == 401
    refused = get(address="2001:db8:1:9::1")
    assert refused.status_code == 429
    assert fields(refused)["RateLimit"][0][0] == "site"


def bearer(api: APIClient) -> str:
    return str(api._credentials["HTTP_AUTHORIZATION"])


def test_a_user_is_counted_wherever_he_comes_from(few: None, get: Get, user: User) -> None:
    token, other = bearer(signed_in(user)), bearer(signed_in(User.objects.create_user("grace",
        password="correct horse battery")))  # fmt: skip
    for number in range(USER):
        reply = get(address=f"192.0.2.{number + 10}", authorization=token)
        assert reply.status_code == 200
        assert fields(reply)["RateLimit"][0][0] == "user"
    refused = get(address="192.0.2.99", authorization=token)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    ((_, told),) = fields(refused)["RateLimit"]
    assert (int(refused.headers["Retry-After"]), 0) == (told["t"], told["r"])
    assert get(address="192.0.2.10", authorization=other).status_code == 200


def test_each_signing_key_is_counted_by_itself(
    few: None, settings: Settings, user: User, client: Client
) -> None:
    api = signed_in(user)
    signers = []
    for name in ("one", "two"):
        made = api.post("/api/v1/auth/signing-keys", {"name": name, "scopes": ["read"]},
                        format="json").json()  # fmt: skip
        signers.append(Signer(made["keyid"], made["secret"]))

    def signed(signer: Signer) -> Any:
        url = "http://testserver/api/v1/breakers"
        return client.get("/api/v1/breakers", headers=signer.sign("GET", url, body=b"", headers={}))

    first, second = signers
    replies = [signed(first) for _ in range(USER)]
    assert [reply.status_code for reply in replies] == [200] * USER
    assert fields(replies[0])["RateLimit"][0][0] == "key"
    assert signed(first).status_code == 429
    assert signed(second).status_code == 200


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        pytest.param("authorization", "Bearer made.up.token", 401, id="wrong token"),
        pytest.param("authorization", "Basic YTpi", 401, id="another scheme"),
        pytest.param("signature", "sig1=:AAAA:", 401, id="half a signature"),
        pytest.param("authorization", "", 401, id="nothing"),
    ],
)
def test_credentials_that_do_not_hold_are_counted_by_address(
    few: None, get: Get, header: str, value: str, status: int
) -> None:
    replies = [get(**{header: value}) for _ in range(ADDRESS + 1)]
    assert [reply.status_code for reply in replies] == [status] * ADDRESS + [429]
    assert replies[-1].json()["code"] == "rate_limited"


def test_credentials_where_none_are_asked_for_change_nothing(few: None, get: Get) -> None:
    replies = [get(OPEN, authorization="Bearer x") for _ in range(ADDRESS + 1)]
    assert [reply.status_code for reply in replies] == [405] * ADDRESS + [429]


def test_what_is_refused_does_not_put_off_the_end(few: None, get: Get) -> None:
    first = [get() for _ in range(ADDRESS + 1)][-1].json()["retry_after"]
    assert get().json()["retry_after"] <= first


def test_no_limit_costs_no_trip(settings: Settings, get: Get, own_valkey: Valkey) -> None:
    _use(settings, own_valkey)
    settings.RATE_LIMITS = {"USER": 0, "ADDRESS": 0}
    assert "RateLimit" not in get().headers
    assert b"evalsha" not in own_valkey.ask("INFO", "commandstats")


def test_a_request_makes_one_trip(
    few: None, settings: Settings, get: Get, own_valkey: Valkey
) -> None:
    _use(settings, own_valkey)
    get()
    own_valkey.ask("CONFIG", "RESETSTAT")
    get()
    stats = own_valkey.ask("INFO", "commandstats").decode()
    assert "cmdstat_evalsha:calls=1," in stats
    asked = {line.partition(":")[0].removeprefix("cmdstat_") for line in stats.split("\r\n")[1:-1]}
    within = {"time", "zremrangebyscore", "zcard", "zrange", "zadd", "pexpire"}
    assert asked - within - {"config|resetstat", "info", "client|setinfo", "hello"} == {"evalsha"}


def _use(settings: Settings, valkey: Valkey, **options: float) -> None:
    alias = settings.CACHES["accounts"]
    alias = {**alias, "LOCATION": valkey.url, "OPTIONS": {**alias["OPTIONS"], **options}}
    settings.CACHES = {**settings.CACHES, "accounts": alias}


def test_while_the_store_is_silent_all_pass_and_only_the_first_waits(
    few: None, settings: Settings, get: Get, own_valkey: Valkey
) -> None:
    _use(settings, own_valkey, SOCKET_TIMEOUT=1.0, SOCKET_CONNECT_TIMEOUT=1.0)
    assert "RateLimit" in get().headers
    own_valkey.pause()
    began = time.monotonic()
    replies = [get() for _ in range(2 * ADDRESS)]
    took = time.monotonic() - began
    own_valkey.resume()
    assert {reply.status_code for reply in replies} == {401}
    assert all("RateLimit" not in reply.headers for reply in replies)
    assert took < 2 * ADDRESS


def test_when_the_store_is_back_limits_are_too(
    few: None, settings: Settings, get: Get, own_valkey: Valkey
) -> None:
    _use(settings, own_valkey)
    own_valkey.stop()
    assert [get().status_code for _ in range(ADDRESS + 1)] == [401] * (ADDRESS + 1)
    own_valkey.restart()
    until(lambda: "RateLimit" in get().headers)
    until(lambda: get().status_code == 429)


def test_an_outage_is_asked_about_ever_less_often_and_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 100.0
    monkeypatch.setattr(outage_module, "monotonic", lambda: now)
    lasting = Outage("nothing is counted")
    asked = []
    for _ in range(4000):
        if lasting.may_ask():
            asked.append(now)
            lasting.failed(redis.ConnectionError("refused"))
        now += 0.01
    pauses = [round(b - a, 1) for a, b in pairwise(asked)]
    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0]
    assert pauses[-1] == LONGEST_PAUSE
    lasting.answered()
    assert lasting.may_ask()
    told = [record.getMessage() for record in caplog.records if record.name == "config.outage"]
    assert len(told) == 2
    assert all("nothing is counted" in message for message in told)


def test_one_caller_asks_after_a_pause_and_the_others_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(outage_module, "monotonic", lambda: now)
    lasting = Outage("nothing is counted")
    lasting.failed(redis.TimeoutError())
    now += 5
    assert [lasting.may_ask() for _ in range(3)] == [True, False, False]
