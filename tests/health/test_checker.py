import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from health import checker, signals
from health.engine.checker import Checker
from health.engine.host import Host
from health.engine.snapshot import Check
from health.verdict import Status

from .conftest import eventually
from .probes import Fake

Run = Callable[..., Checker]


def status(running: Checker, name: str) -> Status:
    return running.edition.snapshot.status_of(name)


def test_a_wake_where_nothing_runs_is_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "_running", None)
    checker.wake("breakers")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_has_a_checker_of_its_own(run: Run) -> None:
    parent = run(Fake("cache"))
    child = os.fork()
    if child == 0:
        forgotten = checker._running is None and not parent.alive
        os._exit(0 if forgotten else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert checker.current() is parent


def test_a_checker_whose_scheduler_died_is_replaced(
    run: Run, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    dead = run(Fake("cache"))
    dead.stop()
    monkeypatch.setattr("health.registry.probes", lambda: [Fake("cache")])
    try:
        assert checker.current() is not dead
        assert checker.current() is checker.start()
    finally:
        checker.current().stop()


def test_a_checker_whose_scheduler_is_held_up_is_replaced_once(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    release = threading.Event()

    def receive(check: Check, **_: object) -> None:
        if check.name == "held up":
            release.wait()

    monkeypatch.setattr("health.registry.probes", lambda: [Fake("held up")])
    monkeypatch.setattr(checker, "_left_behind", None)
    signals.status_changed.connect(receive)
    held_up = run(Fake("held up"), wait=False, place=Host(tmp_path))
    try:
        eventually(lambda: status(held_up, "held up") is Status.PASS)
        held_up._beat = float("-inf")
        second = checker.current()
        assert second is not held_up
        eventually(lambda: second.leading and status(second, "held up") is Status.PASS)
        second._beat = float("-inf")
        assert checker.current() is second
    finally:
        signals.status_changed.disconnect(receive)
        release.set()
        second.stop()
    held_up._thread.join()
    assert second.edition.snapshot.started
