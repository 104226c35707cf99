import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.core.management import CommandError, call_command
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from pytest_django.fixtures import Settings

from config.redis import caches
from health import CheckResult, Reason, Status
from health.engine.checker import Checker
from health.engine.directory import prepare
from health.engine.host import Host
from health.engine.published import published
from health.responder import HealthResponder
from tests.servers import Valkey

from .conftest import eventually
from .probes import FAIL, PASS, Fake

Run = Callable[..., Checker]
TOKEN = "t" * 40


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
def quick(settings: Settings, tmp_path: Path) -> None:
    settings.HEALTH = {"SERVICES": ["database", "cache"], "RUNTIME_DIR": tmp_path / "run"}


@pytest.fixture
def host(
    run: Run, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Checker]:
    """Starts a checker on these probes that publishes, as that of a server on this host does."""
    directory = tmp_path / "run"
    settings.HEALTH = {"RUNTIME_DIR": directory}
    # A machine that stalls is not what is tested here.
    monkeypatch.setattr("health.engine.published.FRESH_SECONDS", 60.0)

    def start(*probes: Fake) -> Checker:
        running = run(*probes, place=Host(prepare(directory)))
        eventually(lambda: (found := published()) and found.started)
        return running

    return start


def test_probes_from_here_and_prints_a_table(transactional_db: None, quick: None) -> None:
    code, out, _ = health("--direct")
    lines = out.splitlines()
    assert lines[0].split() == ["SERVICE", "COMPONENT", "STATUS", "SINCE", "LATENCY", "REASON"]
    assert [line.split()[:3] for line in lines[1:-1] if " pool " not in line] == [
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
    settings.CACHES = caches(own_valkey.url)
    own_valkey.stop()
    assert health("--direct")[0] == 0
    assert health("--direct", "--fail-on", "warn")[0] == 1
    code, out, _ = health("--direct", "cache")
    assert code == 1
    assert "refused" in out
    assert "database" not in out


@pytest.mark.parametrize("source", ["--direct", None])
def test_an_unknown_service_cannot_be_determined(
    host: Callable[..., Checker], settings: Settings, source: str | None
) -> None:
    host(Fake("database"), Fake("cache"))
    settings.HEALTH = {**settings.HEALTH, "SERVICES": ["database", "cache"]}
    with pytest.raises(
        CommandError, match=r"No such service: cash\. Known: database, cache"
    ) as error:
        health(*filter(None, [source]), "cash")
    assert error.value.returncode == 2


def test_tells_what_the_servers_of_this_host_know(host: Callable[..., Checker]) -> None:
    host(Fake("database", lambda: FAIL, critical=True, interval=60), Fake("cache", interval=60))
    code, out, err = health()
    assert (code, err, out.splitlines()[-1]) == (1, "", "overall: fail")
    assert health("cache")[0] == 0
    assert "uptime" not in json.loads(health("--json")[1])


def test_without_a_server_on_this_host_nothing_is_known(quick: None) -> None:
    code, out, err = health()
    assert (code, out) == (2, "")
    assert "--direct" in err


def test_what_a_server_said_that_is_gone_is_not_believed(
    host: Callable[..., Checker], monkeypatch: pytest.MonkeyPatch
) -> None:
    host(Fake("cache")).stop()
    monkeypatch.setattr("health.engine.published.FRESH_SECONDS", 0.0)
    assert health()[0] == 2


def test_asks_a_running_server(run: Run, server: str) -> None:
    run(Fake("database", lambda: FAIL, critical=True), Fake("cache"))
    code, out, _ = health("--http", server)
    assert (code, out.splitlines()[-1]) == (1, "overall: fail")
    assert health("--http", server, "cache")[0] == 0


def test_a_token_in_a_file_opens_the_details(
    run: Run, server: str, settings: Settings, tmp_path: Path
) -> None:
    settings.HEALTH = {"TOKENS": [sha256(TOKEN.encode()).hexdigest()]}
    run(Fake("cache"))
    assert "deadlineMs" not in health("--http", server, "--json")[1]
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert "deadlineMs" in health("--http", server, "--json", "--token-file", str(file))[1]
    with pytest.raises(CommandError, match="--token-file") as error:
        health("--http", server, "--token-file", str(tmp_path / "nowhere"))
    assert error.value.returncode == 2


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
    address = f"http://127.0.0.1:{silent_port}"
    assert health("--http", address, "--timeout", "0.3")[0] == 2
    code, out, _ = health("--http", address, "--timeout", "0.3", "--format", "nagios")
    assert (code, out[:16]) == (3, "HEALTH UNKNOWN -")
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (PASS, 0, "HEALTH OK - 1 services | 'cache/default'="),
        (CheckResult(Status.WARN, Reason.OPEN), 1, "HEALTH WARNING - cache warn (open) |"),
        (FAIL, 2, "HEALTH CRITICAL - cache fail (refused) |"),
    ],
    ids=["pass", "warn", "fail"],
)
def test_monitoring_plugins_have_codes_of_their_own(
    host: Callable[..., Checker], answer: CheckResult, code: int, said: str
) -> None:
    host(Fake("cache", lambda: answer, critical=True, interval=60))
    found, out, _ = health("--format", "nagios")
    assert (found, out[: len(said)]) == (code, said)


def test_openmetrics_are_understood_by_prometheus(host: Callable[..., Checker]) -> None:
    host(Fake("database", interval=60), Fake("cache", lambda: FAIL, interval=60))
    code, out, _ = health("--format", "openmetrics")
    families = {family.name: family for family in text_string_to_metric_families(out)}
    shown = [one.labels for one in families["health_status"].samples if one.value]
    assert shown == [
        {"service": "database", "status": "pass"},
        {"service": "cache", "status": "fail"},
    ]
    assert len(families["health_latency_seconds"].samples) == 2
    assert code == 0


def test_waits_for_a_service_to_come_up(host: Callable[..., Checker]) -> None:
    down = [FAIL, FAIL, FAIL]
    host(Fake("cache", lambda: down.pop() if down else PASS, critical=True))
    code, out, _ = health("--wait", "30")
    assert (code, out.splitlines()[-1]) == (0, "overall: pass")


def test_waits_no_longer_than_it_was_told(host: Callable[..., Checker]) -> None:
    host(Fake("cache", lambda: FAIL, critical=True))
    assert health("--wait", "0.1")[0] == 1


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon"])
def test_no_other_seconds_are_taken(quick: None, text: str) -> None:
    with pytest.raises(CommandError, match="number of seconds"):
        health("--timeout", text)


def test_watching_goes_on_until_it_is_interrupted(process_env: dict[str, str]) -> None:
    command = [
        sys.executable,
        "manage.py",
        "health",
        "disk",
        "--direct",
        "--json",
        "--watch",
        "0.1",
    ]
    with subprocess.Popen(
        command, env=process_env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        documents = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert [list(document["checks"]) for document in documents] == [["disk"]] * 3
    assert (process.returncode, err) == (130, "")


def test_a_hung_database_does_not_hold_up_the_exit(
    process_env: dict[str, str], silent_port: int
) -> None:
    env = {
        **process_env,
        "DATABASE_URL": f"postgres://shop:hunter2@127.0.0.1:{silent_port}/shop",
        "DATA_DIR": process_env["DATA_DIR"],
    }
    command = [
        sys.executable, "manage.py", "health", "database", "cache", "--direct", "--timeout", "0.5",
    ]  # fmt: skip
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "timeout" in done.stdout
    assert "hunter2" not in done.stdout
    assert socket.gethostname() not in done.stdout
