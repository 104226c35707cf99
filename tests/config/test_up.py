"""``manage.py up`` and the main job, against the product as a user starts it."""

import re
import shlex
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.product import Command, Product, Reply, call, free_port, processes_of
from tests.servers import scratch

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    running = Product(
        scratch(), DJANGO_SETTINGS_MODULE="tests.live_settings", OPERATOR_PASSWORD="tide and time"
    )
    yield running
    assert running.stop() == 0


@pytest.fixture
def token(product: Product) -> Iterator[str]:
    yield product.sign_in("tide and time")
    product.mend()


def until(holds: object, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.05)


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
    assert (waiting.status, waiting.json["status"]) == (202, "running")
    until(lambda: product.generate(token, "doomed").status != 202, seconds=60)
    finished = product.generate(token, "doomed")
    assert (finished.status, finished.json["status"]) == (200, "succeeded")
    assert finished.json["id"] == waiting.json["id"]
    assert finished.headers["Idempotent-Replay"] == "true"
    assert product.paid("imagen") == before + 2


def _ready(product: Product) -> bool:
    with suppress(OSError):  # refused or reset while the workers come back
        return call("GET", f"{product.url}/health/ready").status == 200
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
    paid = product.paid("imagen")
    time.sleep(0.2)  # one push to the other worker
    refused = [product.generate(token, f"refused-{n}") for n in range(40)]
    assert {(reply.status, reply.json["code"]) for reply in refused} == {(503, "circuit_open")}
    assert all(int(reply.headers["Retry-After"]) >= 1 for reply in refused)
    assert product.paid("imagen") == paid

    until(lambda: call("GET", f"{product.url}/health").json["status"] == "warn", seconds=3)
    assert call("GET", f"{product.url}/health").status == 200

    product.mend()
    until(lambda: product.generate(token, "after-the-storm").status == 201, seconds=15)
    until(lambda: call("GET", f"{product.url}/health").json["status"] == "pass", seconds=15)


def test_every_kind_of_answer_carries_the_security_headers(product: Product, token: str) -> None:
    bearer = {"Authorization": f"Bearer {token}"}
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
        assert "x-request-id" in headers or name in {"health", "live", "metrics", "post to health"}
    statuses = {name: reply.status for name, reply in answers.items()}
    assert statuses == dict.fromkeys(answers, 200) | {
        "not found": 404,
        "bad host": 400,
        "refused": 401,
        "wrong method": 405,
        "post to health": 405,
    }


def test_the_three_printed_lines_work_and_a_restart_keeps_everything() -> None:
    directory = scratch()
    first = Product(directory)
    token_line, generate_line, again_line = [
        line for line in first.output.splitlines() if line.startswith(("TOKEN=", "curl -si"))
    ]
    script = f"{token_line}\n{generate_line}; echo; echo ----; {again_line}"
    shown = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True
    ).stdout
    made, again = shown.split("----")
    assert "201 Created" in made and '"status":"succeeded"' in made.replace(" ", "")
    assert "200 OK" in again and "idempotent-replay: true" in again.lower()
    (identity,) = set(re.findall(r'"id": ?"([0-9a-f-]{36})"', shown))
    assert first.paid("imagen") == 1
    assert first.stop(signal.SIGTERM) == 0
    assert processes_of(directory) == {}

    second = Product(directory, OPERATOR_PASSWORD=first.password)
    assert "password" not in second.output.partition("The main job")[0]
    replay = second.generate(second.sign_in(first.password), "first-light")
    assert (replay.status, replay.json["id"]) == (200, identity)
    assert second.paid("imagen") == 0
    content = call(
        "GET", f"{second.url}{replay.json['results'][0]['url'].removeprefix(second.url)}",
        Authorization=f"Bearer {second.sign_in(first.password)}",
    )  # fmt: skip
    assert content.headers["Content-Type"] == "image/png"
    assert content.body.startswith(b"\x89PNG")
    assert second.stop() == 0
    assert processes_of(directory) == {}


def test_secrets_are_made_once_and_kept_from_others() -> None:
    directory = scratch()
    fails(directory, REDIS_URL="redis://127.0.0.1:1/0")
    file = directory / "secrets.env"
    assert file.stat().st_mode & 0o777 == 0o600
    made = file.read_text()
    fails(directory, REDIS_URL="redis://127.0.0.1:1/0")
    assert file.read_text() == made
    assert len(made.splitlines()) == 4


def fails(directory: Path, **env: str) -> str:
    """What is said last by a start that must end with exit code 1 and no process left."""
    command = Command(directory, **env)
    assert command.ended() == 1, command.output
    assert "Traceback" not in command.output
    assert processes_of(directory) == {}
    return command.output.strip().splitlines()[-1]


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"PORT {port}" in fails(scratch(), PORT=port)


def test_a_port_that_is_no_number_is_named() -> None:
    assert "PORT: 'http'" in fails(scratch(), PORT="http")


def test_a_data_directory_that_cannot_be_written_is_named() -> None:
    directory = scratch()
    (directory / "file").touch()
    assert f"DATA_DIR {directory}/file/data" in fails(directory / "file" / "data")


def test_a_data_directory_in_use_is_named() -> None:
    directory = scratch()
    running = Product(directory)
    second = Command(directory)
    assert second.ended() == 1
    assert "in use by another" in second.output
    assert call("GET", f"{running.url}/health/ready").status == 200
    assert running.stop() == 0


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("REDIS_URL", "redis://127.0.0.1:{port}/0"),
        ("REDIS_URL", "unix:///nowhere/valkey.sock"),
        ("REDIS_URL", "ftp://127.0.0.1/"),
        ("DATABASE_URL", "postgresql://ada:hunter2@127.0.0.1:{port}/mainstay"),
        ("DATABASE_URL", "sqlite:////nowhere/db.sqlite3"),
    ],
)
def test_a_store_that_does_not_answer_is_named(variable: str, url: str) -> None:
    line = fails(scratch(), **{variable: url.format(port=free_port())})
    assert variable in line
    assert "hunter2" not in line


def test_a_killed_supervisor_leaves_no_process_behind() -> None:
    directory = scratch()
    running = Product(directory)
    assert len(running.processes()) >= 5
    running.process.kill()
    running.process.wait()
    until(lambda: processes_of(directory) == {}, seconds=20)


def test_a_store_that_dies_takes_the_rest_down_in_one_line() -> None:
    directory = scratch()
    running = Product(directory)
    (valkey,) = [pid for pid, line in running.processes().items() if "valkey-server" in line]
    subprocess.run(shlex.split(f"kill -9 {valkey}"), check=True)
    assert running.ended() == 1
    assert "valkey ended" in running.output.splitlines()[-1]
    assert processes_of(directory) == {}
