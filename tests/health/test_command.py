import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from health.checker import Checker
from health.responder import HealthResponder
from tests.servers import Valkey

from .probes import FAIL, Fake

Run = Callable[..., Checker]


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(settings: Settings) -> Iterator[str]:
    settings.HEALTH = {"ALLOWED_CIDRS": ["127.0.0.0/8"]}
    responder = HealthResponder(lambda environ, start_response: [b""])
    with make_server("127.0.0.1", 0, responder, handler_class=Quiet) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def health(*arguments: str) -> tuple[int, str, str]:
    out, err = StringIO(), StringIO()
    try:
        call_command("health", *arguments, stdout=out, stderr=err)
    except SystemExit as leave:
        return int(str(leave.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


@pytest.fixture
def quick(settings: Settings) -> None:
    settings.HEALTH = {"SERVICES": ["database", "cache"]}


def test_probes_here_and_prints_a_table(transactional_db: None, quick: None) -> None:
    code, out, _ = health()
    lines = out.splitlines()
    assert lines[0].split() == ["SERVICE", "COMPONENT", "STATUS", "LATENCY", "REASON"]
    assert [line.split()[:3] for line in lines[1:-1]] == [
        ["database", "default", "pass"],
        ["cache", "default", "pass"],
    ]
    assert (code, lines[-1]) == (0, "overall: pass")


def test_json_is_the_document_of_the_endpoint(transactional_db: None, quick: None) -> None:
    code, out, _ = health("--json", "--direct")
    document = json.loads(out)
    assert (code, document["status"]) == (0, "pass")
    assert document["checks"]["database"][0]["deadlineMs"] == 2500


def test_a_failing_extra_warns_overall_and_fails_when_asked_for(
    transactional_db: None, quick: None, settings: Settings, own_valkey: Valkey
) -> None:
    from config.redis import caches

    settings.CACHES = caches(own_valkey.url)
    own_valkey.stop()
    assert health()[0] == 0
    code, out, _ = health("cache")
    assert code == 1
    assert "refused" in out
    assert "database" not in out


def test_an_unknown_service_cannot_be_determined(quick: None) -> None:
    with pytest.raises(
        CommandError, match=r"No such service: cash\. Known: database, cache"
    ) as error:
        health("cash")
    assert error.value.returncode == 2


def test_asks_a_running_server(run: Run, server: str) -> None:
    run(Fake("database", lambda: FAIL, critical=True), Fake("cache"))
    code, out, _ = health("--http", server)
    assert (code, out.splitlines()[-1]) == (1, "overall: fail")
    assert health("--http", server, "cache")[0] == 0


@pytest.mark.parametrize("url", ["http://127.0.0.1:{closed}", "ftp://127.0.0.1", "nonsense"])
def test_a_server_that_cannot_be_asked_is_unknown(closed_port: int, url: str) -> None:
    code, _, err = health("--http", url.format(closed=closed_port))
    assert code == 2
    assert "did not answer" in err


def test_a_server_that_speaks_no_health_is_unknown(run: Run, server: str) -> None:
    code, _, err = health("--http", f"{server}/metrics")
    assert code == 2
    assert "did not answer" in err


def test_a_silent_server_is_unknown_within_the_timeout(silent_port: int) -> None:
    began = time.monotonic()
    assert health("--http", f"http://127.0.0.1:{silent_port}", "--timeout", "0.3")[0] == 2
    assert time.monotonic() - began < 5


def test_a_hung_database_does_not_hold_up_the_exit(
    process_env: dict[str, str], silent_port: int
) -> None:
    env = {
        **process_env,
        "DATABASE_URL": f"postgres://shop:hunter2@127.0.0.1:{silent_port}/shop",
        "DATA_DIR": process_env["DATA_DIR"],
    }
    command = [sys.executable, "manage.py", "health", "database", "cache", "--timeout", "0.5"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "timeout" in done.stdout
    assert "hunter2" not in done.stdout
    assert socket.gethostname() not in done.stdout
