"""The main job, against the product as a user starts it, with two workers."""

import json
import os
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx2
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from accounts.client import Signer
from tests.deploy import asked
from tests.product import Product, Reply, call, until
from tests.servers import postgres_url, scratch


def database() -> dict[str, str]:
    """A new database on PostgreSQL where the run is about that; else the product's own SQLite."""
    if os.environ.get("TEST_DATABASE") != "postgres":
        return {}
    url, name = postgres_url(), f"product_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return {"DATABASE_URL": url.replace("/postgres?", f"/{name}?")}


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    running = Product(
        scratch(),
        DJANGO_SETTINGS_MODULE="tests.live_settings",
        OPERATOR_PASSWORD="tide and time",
        **database(),
    )
    yield running
    assert running.stop() == 0


@pytest.fixture
def token(product: Product) -> Iterator[str]:
    yield product.sign_in("tide and time")
    product.mend()


def test_twenty_posts_of_one_key_pay_once(product: Product, token: str) -> None:
    before = product.paid("imagen")
    product.fault("imagen", latency=0.5)
    barrier = threading.Barrier(20)

    def post(number: int) -> Reply:
        barrier.wait()
        return product.generate(token, "twenty")

    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(post, range(20)))
    statuses = [reply.status for reply in replies]
    assert statuses.count(201) == 1
    assert set(statuses) <= {200, 201, 202}, statuses
    assert len({reply.json["id"] for reply in replies}) == 1
    assert product.paid("imagen") == before + 1
    assert len(product.workers()) == 2


def test_a_killed_worker_leaves_a_generation_that_the_next_request_finishes(
    product: Product, token: str
) -> None:
    before = product.paid("imagen")
    product.fault("imagen", latency=30)
    doomed = threading.Thread(target=_ignore_errors, args=(product, token, "doomed"))
    doomed.start()
    until(lambda: product.paid("imagen") == before + 1)
    for worker in product.workers():
        subprocess.run(["kill", "-9", str(worker)], check=True)
    doomed.join()
    product.mend()
    until(lambda: _ready(product))
    waiting = product.generate(token, "doomed")
    # Its lease may have run out while the workers came back.
    seen = waiting.status, waiting.json["status"]
    assert seen in {(202, "running"), (201, "succeeded")}
    until(lambda: product.generate(token, "doomed").status != 202, seconds=60)
    finished = product.generate(token, "doomed")
    assert (finished.status, finished.json["status"]) == (200, "succeeded")
    assert finished.json["id"] == waiting.json["id"]
    assert finished.headers["Idempotent-Replay"] == "true"
    assert product.paid("imagen") == before + 2


def test_a_signed_request_does_the_main_job_once(product: Product, token: str) -> None:
    bearer = {"Authorization": f"Bearer {token}"}
    keys = f"{product.url}/api/v1/auth/signing-keys"
    key = call("POST", keys, {"name": "ci", "scopes": ["generate"]}, **bearer).json
    signer = Signer(key["keyid"], key["secret"])
    url, order = f"{product.url}/api/v1/generations", {"Idempotency-Key": "signed"}
    body = {"service": "imagen", "prompt": "a lighthouse"}

    def signed() -> dict[str, str]:
        added = signer.sign("POST", url, body=json.dumps(body).encode(), headers=order)
        return {name.replace("-", "_"): value for name, value in (order | added).items()}

    once = signed()
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: call("POST", url, body, **once), range(20)))
    assert Counter(reply.status for reply in replies) == {201: 1, 401: 19}
    assert {reply.json["code"] for reply in replies if reply.status == 401} == {"signature_invalid"}
    assert call("POST", url, body, **once).status == 401
    assert call("POST", url, body, **signed()).status == 200
    with httpx2.Client(auth=signer) as client:
        assert client.post(url, json=body, headers=order).status_code == 200
        # Signed well, spelling of the query and all, but beyond what the key is for.
        assert client.get(f"{url}?limit=5&service=%69magen").status_code == 403


def test_bodies_that_never_come_leave_room_for_others(product: Product) -> None:
    """More of them than the workers have threads."""
    place = urlsplit(product.url)
    begun = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
    revoke, token = f"{product.url}/api/v1/auth/token/revoke", {"token": "none"}
    with ExitStack() as waiting:
        for _ in range(120):
            made = socket.create_connection((place.hostname or "", place.port or 0))
            waiting.enter_context(made).sendall(begun)
        for _ in range(20):
            assert call("GET", f"{product.url}/health/live").status == 200
            assert call("GET", f"{product.url}/api/v1/auth/me").status == 401
        until(lambda: _code(call("POST", revoke, token)) == "server_unavailable")
    until(lambda: all(call("POST", revoke, token).status == 200 for _ in range(10)))


def test_half_a_body_does_nothing(product: Product, token: str) -> None:
    place, body = urlsplit(product.url), b'{"name": "half", "lease": 30}'
    begun = (
        f"POST /api/v1/locks/acquire HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}"
        f"\r\nContent-Type: application/json\r\nContent-Length: {len(body) + 1}\r\n\r\n"
    )
    with socket.create_connection((place.hostname or "", place.port or 0)) as made:
        made.sendall(begun.encode() + body)
        made.shutdown(socket.SHUT_WR)
        assert not made.recv(4_096).startswith(b"HTTP/1.1 2")
    bearer = {"Authorization": f"Bearer {token}"}
    held = call("GET", f"{product.url}/api/v1/locks", **bearer).json["results"]
    assert [row for row in held if row["name"] == "half"] == []


def _code(reply: Reply) -> str:
    return str(reply.json.get("code"))


def _ready(product: Product) -> bool:
    """Both workers are, as far as twenty requests tell: the kernel chooses who gets which."""
    with suppress(OSError):  # refused or reset while the workers come back
        return all(call("GET", f"{product.url}/health").status == 200 for _ in range(20))
    return False


def _ignore_errors(product: Product, token: str, key: str) -> None:
    with suppress(OSError):  # the connection dies with its worker
        product.generate(token, key)


def test_five_failures_open_the_circuit_for_both_workers_and_it_recovers_alone(
    product: Product, token: str
) -> None:
    product.fault("imagen", status=503)
    failures = [product.generate(token, f"storm-{n}") for n in range(5)]
    assert [reply.status for reply in failures] == [503] * 5
    assert {reply.json["code"] for reply in failures} <= {"upstream_error", "upstream_throttled"}

    def refuses() -> bool:
        """Forty times, by either worker, without a word to the other side."""
        paid = product.paid("imagen")
        refused = [product.generate(token, f"refused-{n}") for n in range(40)]
        return (
            {(reply.status, reply.json["code"]) for reply in refused} == {(503, "circuit_open")}
            and all(int(reply.headers["Retry-After"]) >= 1 for reply in refused)
            and product.paid("imagen") == paid
        )

    # The other worker hears of it a little later, and after a while a trial is let through.
    until(refuses)
    until(lambda: call("GET", f"{product.url}/health").json["status"] == "warn")
    assert call("GET", f"{product.url}/health").status == 200

    product.mend()
    until(lambda: product.generate(token, "after-the-storm").status == 201)
    until(lambda: call("GET", f"{product.url}/health").json["status"] == "pass")


def test_metrics_tell_all_that_alert_rules_and_the_dashboard_ask_for(
    product: Product, token: str
) -> None:
    bearer = {"Authorization": f"Bearer {token}"}

    def posted(path: str, **body: Any) -> bool:
        return call("POST", f"{product.url}/api/v1/{path}", body, **bearer).status in (200, 201)

    assert product.generate(token, uuid4().hex, service="vertex").status == 201
    product.fault("vertex", status=503)
    circuit = f"breakers/{quote('vertex:us-central1:gemini-2.5-flash')}"
    until(lambda: _code(product.generate(token, uuid4().hex, service="vertex")) == "circuit_open")
    product.mend()
    assert posted("locks/acquire", name=uuid4().hex, lease=120)

    missing = asked.metrics()

    def complete() -> bool:
        text = call("GET", f"{product.url}/metrics").body.decode()
        for family in text_string_to_metric_families(text):
            missing.difference_update(sample.name for sample in family.samples)
        return not missing

    # The state of circuits and locks comes with the next look at them.
    with suppress(AssertionError):
        until(complete)
    assert posted(f"{circuit}/reset", reason="it was open for long enough")
    assert missing == set()


def test_every_kind_of_answer_carries_the_security_headers(product: Product, token: str) -> None:
    bearer = {"Authorization": f"Bearer {token}"}
    # Another test may have killed the workers, and a busy machine takes its time to look around.
    until(lambda: _ready(product))
    answers = {
        "health": call("GET", f"{product.url}/health"),
        "live": call("HEAD", f"{product.url}/health/live"),
        "metrics": call("GET", f"{product.url}/metrics"),
        "schema": call("GET", f"{product.url}/api/schema"),
        "docs": call("GET", f"{product.url}/api/docs"),
        "admin": call("GET", f"{product.url}/admin/login/"),
        "static": call("GET", f"{product.url}/static/admin/css/base.css"),
        "list": call("GET", f"{product.url}/api/v1/generations", **bearer),
        "not found": call("GET", f"{product.url}/nowhere"),
        "bad host": call("GET", f"{product.url}/api/v1/generations", Host="evil.example"),
        "refused": call("GET", f"{product.url}/api/v1/generations"),
        "wrong method": call("DELETE", f"{product.url}/api/v1/auth/token"),
        "post to health": call("POST", f"{product.url}/health", {}),
    }
    for name, reply in answers.items():
        lowered = [key.lower() for key in reply.headers]
        assert len(lowered) == len(set(lowered)), name
        headers = {key.lower(): value for key, value in reply.headers.items()}
        assert headers["x-content-type-options"] == "nosniff", name
        assert headers["x-frame-options"] == "DENY", name
        assert headers["x-xss-protection"] == "1; mode=block", name
        assert "frame-ancestors 'none'" in headers["content-security-policy"], name
        assert "x-request-id" in headers, name
    statuses = {name: reply.status for name, reply in answers.items()}
    assert statuses == dict.fromkeys(answers, 200) | {
        "not found": 404,
        "bad host": 400,
        "refused": 401,
        "wrong method": 405,
        "post to health": 405,
    }
