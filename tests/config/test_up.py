"""``manage.py up``: what it starts, how it stops, and what it says when it cannot."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.product import CLEAN, Command, Product, call, free_port, processes_of, until
from tests.servers import scratch

pytestmark = pytest.mark.live


def test_the_three_printed_lines_work_a_restart_keeps_everything_and_the_doctor_is_content() -> (
    None
):
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
    assert "shown only now" not in second.output
    replay = second.generate(second.sign_in(first.password), "first-light")
    assert (replay.status, replay.json["id"]) == (200, identity)
    assert second.paid("imagen") == 0
    content = call(
        "GET", f"{second.url}{replay.json['results'][0]['url'].removeprefix(second.url)}",
        Authorization=f"Bearer {second.sign_in(first.password)}",
    )  # fmt: skip
    assert content.headers["Content-Type"] == "image/png"
    assert content.body.startswith(b"\x89PNG")
    assert wrong(directory) == []
    assert second.stop() == 0
    assert processes_of(directory) == {}


def wrong(directory: Path) -> list[str]:
    """What the doctor finds to be so, or cannot tell."""
    command = [sys.executable, "manage.py", "doctor", "--json", "--timeout", "60"]
    environment = CLEAN | {
        "DATA_DIR": str(directory),
        "DJANGO_SETTINGS_MODULE": "tests.patient_settings",
    }
    done = subprocess.run(
        command, env=environment, cwd=settings.BASE_DIR, capture_output=True, text=True
    )
    found = json.loads(done.stdout)["findings"]
    assert "No server has probed on this host yet." not in [one["message"] for one in found]
    return [one["message"] for one in found if one["level"] not in ("ok", "warning")]


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


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "\N{SUPERSCRIPT TWO}"),
        ("SIMULATOR_PORT", "65536"),
        ("WORKERS", "0"),
        ("DATABASE_URL", "rubbish"),
        ("DATABASE_URL", "mysql://127.0.0.1/x"),
        ("DATABASE_URL", "postgresql://ada:hunter2@127.0.0.1:abc/x"),
        ("REDIS_URL", "redis://127.0.0.1:abc/0"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("CORS_ALLOWED_ORIGINS", "https://[::1"),
        ("CORS_ALLOWED_ORIGINS", "https://app.example:abc"),
        ("DRAIN_SECONDS", "-5"),
        ("HEALTH_ALLOWED_CIDRS", "nonsense"),
        ("HEALTH_TOKENS", "not a digest"),
    ],
)
def test_a_value_that_cannot_be_is_named(variable: str, value: str) -> None:
    line = fails(scratch(), **{variable: value})
    assert variable.removeprefix("HEALTH_") in line
    assert "hunter2" not in line


def test_a_data_directory_of_any_name_serves_one_and_the_end_is_announced() -> None:
    directory = scratch() / ("deep " * 20) / "50% #1?"
    running = Product(directory, DRAIN_SECONDS="4")
    second = Command(directory)
    assert second.ended() == 1
    assert "in use by another" in second.output
    until(lambda: call("GET", f"{running.url}/health/ready").status == 200)
    running.process.send_signal(signal.SIGTERM)
    until(lambda: call("GET", f"{running.url}/health/ready").status == 503)
    assert call("GET", f"{running.url}/health/live").status == 200
    assert running.ended(30) == 0
    assert processes_of(directory) == {}


def test_a_server_that_dies_leaves_no_worker_behind() -> None:
    directory = scratch()
    running = Product(directory)
    (server,) = [
        pid
        for pid, line in running.processes().items()
        if "manage.py serve" in line and pid not in running.workers()
    ]
    os.kill(server, signal.SIGKILL)
    assert running.ended() == 1
    assert "server ended with exit code -9" in running.output.splitlines()[-1]
    assert processes_of(directory) == {}


def test_a_data_directory_that_cannot_be_written_is_named() -> None:
    directory = scratch()
    (directory / "file").touch()
    assert f"DATA_DIR {directory}/file/data" in fails(directory / "file" / "data")


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
