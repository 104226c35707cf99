"""From what details show to the log, where the cause is told and nowhere else."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from health import CheckResult, Reason, Status
from health.engine.checker import Checker
from tests.health.conftest import eventually
from tests.health.probes import FAIL, PASS, Fake

Run = Callable[..., Checker]


def shown(running: Checker, *, details: bool = True) -> dict[str, Any]:
    document = json.loads(running.edition.detailed[details].body())
    row: dict[str, Any] = document["checks"]["cellar"][0]
    return row


def raising(error: BaseException) -> Callable[[], CheckResult]:
    def answer() -> CheckResult:
        raise error

    return answer


def entry(caplog: pytest.LogCaptureFixture, output: str) -> logging.LogRecord:
    [found] = [record for record in caplog.records if f"({output})" in record.getMessage()]
    return found


def test_details_name_the_entry_of_the_log_with_the_cause(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    probe = Fake("cellar", raising(ConnectionRefusedError("cellar7.example, as root")))
    running = run(probe)
    output = shown(running)["output"]
    assert entry(caplog, output).levelno == logging.WARNING
    assert "cellar7.example, as root" in caplog.text
    assert "cellar7" not in json.dumps(shown(running))
    assert "output" not in shown(running, details=False)
    probe.answer = raising(ConnectionRefusedError("again"))
    runs = probe.runs
    eventually(lambda: probe.runs > runs + 2)
    assert shown(running)["output"] == output
    probe.answer = raising(TimeoutError("another"))
    eventually(lambda: shown(running)["output"] != output)
    assert "TimeoutError: another" in caplog.text
    entry(caplog, shown(running)["output"])
    probe.answer = lambda: PASS
    eventually(lambda: shown(running)["status"] == "pass")
    assert "output" not in shown(running)


def test_what_a_probe_has_caught_is_told_by_the_log_alone(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    part = CheckResult(
        Status.WARN, Reason.CREDENTIALS, component="key", cause=PermissionError("rusty")
    )
    found = CheckResult(Status.WARN, Reason.CREDENTIALS, parts=(part,))
    running = run(Fake("cellar", lambda: found))
    assert entry(caplog, shown(running)["output"]).exc_info
    assert "PermissionError: rusty" in caplog.text
    [check] = running.edition.snapshot.checks
    assert check.result == found
    assert check.result.parts[0].cause is None


def test_a_cause_must_be_one(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    wrong: Any = "it rains"
    running = run(Fake("cellar", lambda: CheckResult(Status.WARN, cause=wrong)))
    assert shown(running)["reason"] == Reason.ERROR
    assert "str is no cause" in caplog.text


def test_that_all_is_well_at_the_start_is_no_news(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "health.engine.watch")
    probe = Fake("cellar")
    running = run(probe)
    assert "cellar" not in caplog.text
    probe.answer = lambda: FAIL
    eventually(lambda: shown(running)["status"] == "fail")
    probe.answer = lambda: PASS
    eventually(lambda: shown(running)["status"] == "pass")
    assert "cellar default: pass" in caplog.text
