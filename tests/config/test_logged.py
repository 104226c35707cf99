"""What the running product tells: its callers of limits, its log of them, Google of traces."""

import http.client
import json
import re
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from accounts.client import Signer
from tests.config.logged_settings import RATE_LIMITS
from tests.product import Product, call, until
from tests.servers import scratch

pytestmark = pytest.mark.live

PASSWORD = "tide and time and salt"
HEALTH_TOKEN = "probe-5d3c1a7e9b"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    running = Product(
        scratch(),
        DJANGO_SETTINGS_MODULE="tests.config.logged_settings",
        OPERATOR_PASSWORD=PASSWORD,
        HEALTH_TOKENS=sha256(HEALTH_TOKEN.encode()).hexdigest(),
        HEALTH_ALLOWED_CIDRS="192.0.2.0/24",
        LOG_LEVEL="DEBUG",
        LOG_FORMAT="json",
    )
    yield running
    assert running.stop() == 0


def lines(product: Product) -> list[dict[str, Any]]:
    """All that was logged since the product began to serve."""
    logged = product.output.partition("Ctrl-C stops everything.\n")[2]
    # The last one may still be on its way.
    return [json.loads(line) for line in logged.split("\n")[:-1]]


def logged(product: Product, request_id: str) -> list[dict[str, Any]]:
    """Those of one request; its line in the access log comes last, after the answer."""

    def found() -> list[dict[str, Any]]:
        return [line for line in lines(product) if line["request_id"] == request_id]

    until(lambda: any(line["logger"] == "mainstay.access" for line in found()))
    return found()


def at_once(ask: Callable[[int], int], times: int) -> Counter[int]:
    barrier = threading.Barrier(times)

    def wait_and_ask(number: int) -> int:
        barrier.wait()
        return ask(number)

    with ThreadPoolExecutor(times) as pool:
        return Counter(pool.map(wait_and_ask, range(times)))


def test_of_twice_the_limit_at_once_half_pass_by_address(product: Product) -> None:
    def ask(_: int) -> int:
        site = urlsplit(product.url)
        connection = http.client.HTTPConnection(
            str(site.hostname), site.port, timeout=60, source_address=("127.0.0.9", 0)
        )
        connection.request("GET", "/api/v1/auth/me")
        status = connection.getresponse().status
        connection.close()
        return status

    limit = RATE_LIMITS["ADDRESS"]
    assert len(product.workers()) == 2
    assert at_once(ask, 2 * limit) == {401: limit, 429: limit}


def test_of_twice_the_limit_at_once_half_pass_by_key(product: Product) -> None:
    bearer = {"Authorization": f"Bearer {product.sign_in(PASSWORD)}"}
    made = call(
        "POST", f"{product.url}/api/v1/auth/signing-keys",
        {"name": "many", "scopes": ["read"]}, **bearer,
    ).json  # fmt: skip
    signer, url = Signer(made["keyid"], made["secret"]), f"{product.url}/api/v1/breakers"
    signed = [signer.sign("GET", url, body=b"", headers={}) for _ in range(2 * RATE_LIMITS["USER"])]
    got = at_once(lambda n: call("GET", url, **signed[n]).status, len(signed))
    assert got == {200: RATE_LIMITS["USER"], 429: RATE_LIMITS["USER"]}


def test_a_call_of_google_is_a_span_of_the_callers_trace(product: Product) -> None:
    token = product.sign_in(PASSWORD)

    def generate(key: str, **headers: str) -> str:
        reply = call(
            "POST", f"{product.url}/api/v1/generations", {"service": "imagen", "prompt": key},
            Authorization=f"Bearer {token}", Idempotency_Key=key, X_Request_ID=key, **headers,
        )  # fmt: skip
        assert (reply.status, reply.headers["X-Request-ID"]) == (201, key)
        return str(recent()[-1]["traceparent"])

    def recent() -> list[dict[str, Any]]:
        found = call("GET", f"{product.simulator}/_simulator/requests").json["recent"]
        return [entry for entry in found if entry["service"] == "imagen"]

    parent = f"00-{TRACE}-{SPAN}-01"
    first = generate("trace-1", traceparent=parent, tracestate="ours=1")
    second = generate("trace-2", traceparent=parent)
    spans = {re.fullmatch(f"00-{TRACE}-([0-9a-f]{{16}})-01", told)[1] for told in (first, second)}
    assert len(spans | {SPAN, "0" * 16}) == 4
    assert recent()[-2]["tracestate"] == "ours=1"
    assert "tracestate" not in recent()[-1]
    broken = generate("trace-3", traceparent=parent.upper(), tracestate="ours=1")
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", broken) and TRACE not in broken
    assert {line["trace_id"] for line in logged(product, "trace-1")} == {TRACE}
    assert {line["trace_id"] for line in logged(product, "trace-3")} == {broken.split("-")[1]}


def test_a_failure_is_logged_with_the_id_that_the_caller_got(product: Product) -> None:
    reply = call("POST", f"{product.url}/api/broken", {"secret": "none"})
    assert (reply.status, reply.json["code"]) == (500, "internal_error")
    failure, access = logged(product, str(reply.headers["X-Request-ID"]))
    assert failure["level"] == "ERROR"
    assert "ZeroDivisionError" in failure["exception"]
    assert (access["method"], access["route"], access["status"]) == ("POST", "/api/broken", 500)
    assert access["duration_ms"] >= 0


def test_no_secret_is_in_anything_that_the_product_says(product: Product) -> None:
    secrets = _used(product)
    reply = call("GET", f"{product.url}/api/nowhere", X_Request_ID="the-end")
    assert reply.status == 404
    logged(product, "the-end")
    said = product.output + "".join(
        path.read_text(errors="replace") for path in product.directory.rglob("*log")
    )
    assert len(lines(product)) > 30
    assert len(secrets) > 25
    told = {name for name, secret in secrets.items() if secret and secret in said}
    assert not told


def _used(product: Product) -> dict[str, str]:
    """Goes the ways of callers, right and wrong ones; returns what is not to be seen in logs."""
    site, used = product.url, {}

    def keep(name: str, value: Any) -> str:
        used[name] = str(value)
        assert len(used[name]) > 7, name
        return used[name]

    for line in (product.directory / "secrets.env").read_text().splitlines():
        name, _, value = line.partition("=")
        keep(name, value)
    password, wrong = keep("password", PASSWORD), keep("wrong password", "salt and sand and mud")
    prompt = keep("prompt", "a lighthouse that keeps to itself")
    # Words of which each stands for whatever might be written there.
    hidden = {name: keep(name, f"hidden-in-{name}-7f3b") for name in ("query", "path", "host",
        "body", "field", "agent", "method", "referer", "cookie", "basic", "bearer")}  # fmt: skip

    def post(path: str, body: Any, **headers: str) -> Any:
        return call("POST", f"{site}/api/v1/{path}", body, **headers)

    assert post("auth/token", {"username": "operator", "password": wrong}).status == 401
    pair = post("auth/token", {"username": "operator", "password": password}).json
    for name in ("access", "refresh", "device_token"):
        keep(name, pair[name])
    renewed = post("auth/token/refresh", {"refresh": pair["refresh"]}).json
    bearer = {"Authorization": f"Bearer {keep('second access', renewed['access'])}"}
    keep("second refresh", renewed["refresh"])
    assert post("auth/token/introspect", {"token": pair["access"]}, **bearer).status == 200
    key = post("auth/signing-keys", {"name": "ci", "scopes": ["generate"]}, **bearer).json
    signer = Signer(key["keyid"], keep("key", key["secret"]))

    order = {"service": "imagen", "prompt": prompt}
    url = f"{site}/api/v1/generations"
    assert call("POST", f"{url}?token={hidden['query']}", {}).status == 400
    signed = signer.sign("POST", url, body=json.dumps(order).encode(),
                         headers={"Idempotency-Key": "signed"})  # fmt: skip
    keep("signature", signed["Signature"].partition(":")[2].strip(":"))
    assert call("POST", url, order, Idempotency_Key="signed", **signed).status == 201
    assert call("POST", url, order, Idempotency_Key="signed", **signed).status == 401
    for service in ("vertex", "veo"):
        order = {"service": service, "prompt": prompt}
        assert post("generations", order, Idempotency_Key=service, **bearer).status in (201, 202)
    product.fault("imagen", status=400, body=json.dumps({"error": {"message": prompt}}))
    order = {"service": "imagen", "prompt": prompt}
    assert post("generations", order, Idempotency_Key="failing", **bearer).status >= 400
    product.mend()
    order = {"service": "imagen", "prompt": prompt, "parameters": {hidden["field"]: 1}}
    assert post("generations", order, Idempotency_Key="refused", **bearer).status == 400
    lock = post("locks/acquire", {"name": "render", "lease": 30}, **bearer).json
    keep("lock", lock["token"])
    assert post("locks/release", {"name": "render", "token": lock["token"]}, **bearer).status == 204

    broken = f"{site}/api/broken?token={hidden['query']}"
    assert call("POST", broken, {"password": hidden["body"]}, **bearer).status == 500
    assert call("GET", f"{site}/api/{hidden['path']}?q={hidden['query']}").status == 404
    assert call("GET", f"{site}/{hidden['path']}", Host=f"{hidden['host']}.example").status == 400
    assert post("auth/token", {hidden["field"]: hidden["body"]}).status == 400
    assert call(hidden["method"].upper(), f"{site}/api/v1/auth/me").status >= 400
    keep("method", hidden["method"].upper())
    basic = b64encode(f"operator:{hidden['basic']}".encode()).decode()
    for credentials in (f"Basic {keep('encoded', basic)}", f"Bearer {hidden['bearer']}"):
        assert call("GET", f"{site}/api/v1/auth/me", Authorization=credentials).status == 401
    assert call(
        "GET", f"{site}/api/v1/auth/me", User_Agent=hidden["agent"], Referer=hidden["referer"],
        Cookie=f"sessionid={hidden['cookie']}",
    ).status == 401  # fmt: skip
    probe = keep("health token", HEALTH_TOKEN)
    assert call("GET", f"{site}/metrics", Authorization=f"Bearer {hidden['bearer']}").status == 403
    assert call("GET", f"{site}/health/detailed", Authorization=f"Bearer {probe}").status == 200
    _visit_admin(site, password, hidden["query"], keep)

    new = keep("new password", "ebb and flow and foam")
    changed = {"current_password": password, "new_password": new}
    latest = post("auth/password/change", changed, **bearer).json
    bearer = {"Authorization": f"Bearer {keep('third access', latest['access'])}"}
    changed = {"current_password": new, "new_password": password}
    latest = post("auth/password/change", changed, **bearer).json
    keep("fourth access", latest["access"])
    assert post("auth/token/refresh", {"refresh": pair["refresh"]}).status == 401
    assert post("auth/token/revoke", {"token": latest["access"]}).status == 200
    return used


def _visit_admin(site: str, password: str, query: str, keep: Callable[[str, Any], str]) -> None:
    with httpx2.Client(base_url=site, trust_env=False) as browser:
        page = browser.get("/admin/login/", params={"next": f"/admin/?q={query}"})
        form = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert form
        keep("form", form[1])
        answer = browser.post(
            "/admin/login/",
            data={"username": "operator", "password": password, "csrfmiddlewaretoken": form[1]},
        )
        assert answer.status_code == 302
        keep("session", browser.cookies["sessionid"])
        keep("cookie of forms", browser.cookies["csrftoken"])
        assert browser.get("/admin/", params={"q": query}).status_code == 200
        assert browser.get("/admin/google/generation/").status_code == 200
        assert browser.post("/admin/logout/").status_code == 403
