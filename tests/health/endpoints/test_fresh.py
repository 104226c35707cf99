import json
import threading
import time
from collections.abc import Callable

import pytest
from pytest_django.fixtures import Settings

from health import CheckResult
from health.endpoints import fresh
from health.engine.checker import Checker
from tests.health.conftest import call
from tests.health.probes import FAIL, PASS, Fake

Run = Callable[..., Checker]
INSIDE = {"REMOTE_ADDR": "10.1.2.3"}
AGAIN = {"QUERY_STRING": "a=b&fresh=1"}


@pytest.fixture(autouse=True)
def access(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.HEALTH = {"ALLOWED_CIDRS": ["10.0.0.0/8"]}
    monkeypatch.setattr(fresh, "_asked", float("-inf"))
    # What is given here to a stalled machine, nobody waits for on one that is not.
    monkeypatch.setattr(fresh, "WAIT_SECONDS", 20.0)


def test_the_privileged_may_have_the_checks_run_now(run: Run) -> None:
    cache = Fake("cache", interval=60)
    run(cache, Fake("other", interval=60))
    cache.answer = lambda: FAIL
    document = json.loads(call("/health/cache", **INSIDE, **AGAIN).body)
    assert document["checks"]["cache"][0]["lastResult"] == "fail"


def test_all_of_them_for_the_whole(run: Run) -> None:
    running = run(Fake("cache", interval=60), Fake("other", interval=60))
    before = time.monotonic()
    call("/health/detailed", **INSIDE, **AGAIN)
    assert all(check.taken > before for check in running.edition.snapshot.checks)


@pytest.mark.parametrize(
    "environ",
    [AGAIN, {**INSIDE, "QUERY_STRING": "fresh=0"}, {**INSIDE, "QUERY_STRING": "xfresh=1"}],
    ids=["a stranger", "not wanted", "another word"],
)
def test_nobody_else_may(run: Run, environ: dict[str, str]) -> None:
    run(Fake("cache", interval=60))
    call("/health/cache", **environ)
    assert fresh._asked == float("-inf")


def test_once_in_a_while_only(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh, "PAUSE_SECONDS", 600.0)
    run(Fake("cache", interval=60))
    asked = set()
    for _ in range(5):
        assert call("/health/cache", **INSIDE, **AGAIN).status == 200
        asked.add(fresh._asked)
    assert len(asked) == 1 and asked != {float("-inf")}


def test_what_hangs_is_not_waited_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh, "WAIT_SECONDS", 0.08)
    gate = threading.Event()

    def hang() -> CheckResult:
        gate.wait()
        return PASS

    probe = Fake("cache", interval=60, deadline=60)
    run(probe)
    probe.answer = hang
    reply = call("/health/cache", **INSIDE, **AGAIN)
    gate.set()
    assert json.loads(reply.body)["checks"]["cache"][0]["status"] == "pass"
