import logging
import threading
import time
from collections.abc import Callable, Iterator
from io import StringIO

import pytest

from health import CheckResult, Probe, Reason, Status, checker, signals
from health.engine.checker import Checker
from health.engine.schedule import PATIENCE
from health.engine.snapshot import Check
from tests.health.conftest import eventually
from tests.health.probes import FAIL, PASS, Fake

Run = Callable[..., Checker]


def status(running: Checker, name: str) -> Status:
    return running.edition.snapshot.status_of(name)


def reason(running: Checker, name: str) -> Reason | None:
    return next(running.edition.snapshot.of(name)).trail.reason


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Frees the probes that hang on it."""
    event = threading.Event()
    yield event
    event.set()


def hanging_on(event: threading.Event) -> Callable[[], CheckResult]:
    def answer() -> CheckResult:
        event.wait()
        return PASS

    return answer


def raising(error: BaseException) -> Callable[[], CheckResult]:
    def answer() -> CheckResult:
        raise error

    return answer


def looping_until(event: threading.Event) -> Callable[[], CheckResult]:
    def answer() -> CheckResult:
        while not event.is_set():
            pass
        return PASS

    return answer


def test_nothing_passes_before_the_first_round(run: Run, release: threading.Event) -> None:
    running = run(Fake("database", hanging_on(release), critical=True, deadline=5), wait=False)
    assert running.edition.overall.code == 503
    assert running.edition.snapshot.reason is Reason.STARTING


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(raising(RuntimeError("boom")), id="raises"),
        pytest.param(raising(SystemExit(0)), id="raises SystemExit"),
        pytest.param(raising(KeyboardInterrupt()), id="raises KeyboardInterrupt"),
        pytest.param(lambda: None, id="returns None"),
    ],
)
def test_a_broken_probe_fails_alone_and_goes_on_being_run(
    run: Run, answer: Callable[[], CheckResult]
) -> None:
    broken, sound = Fake("broken", answer), Fake("sound")
    running = run(broken, sound)
    assert status(running, "broken") is Status.FAIL
    assert status(running, "sound") is Status.PASS
    broken.answer = lambda: PASS
    eventually(lambda: status(running, "broken") is Status.PASS)
    assert running.edition.snapshot.status is Status.PASS


def test_a_probe_that_loops_fails_alone(run: Run, release: threading.Event) -> None:
    looping, sound = Fake("looping", looping_until(release), deadline=0.1), Fake("sound")
    running = run(looping, sound)
    assert status(running, "looping") is Status.FAIL
    assert status(running, "sound") is Status.PASS
    release.set()
    eventually(lambda: status(running, "looping") is Status.PASS)


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def endless(logger: logging.Logger) -> CheckResult:
    for _ in range(1000):
        logger.warning("x" * 10_000)
    raise RuntimeError("y" * 10_000_000)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(raising(Unspeakable()), id="an error without words"),
        pytest.param(lambda: CheckResult(Status.PASS, values={"a": object()}), id="no value"),
        pytest.param(lambda: CheckResult(Status.PASS, values={"a": float("nan")}), id="nan"),
        pytest.param(lambda: CheckResult("fine"), id="no status"),
        pytest.param(lambda: CheckResult(Status.PASS, component=None), id="no component"),
        pytest.param(lambda: CheckResult(Status.PASS, values={"a": "x" * 10_000_000}), id="much"),
    ],
)
def test_what_no_reader_could_take_fails_in_its_own_thread(
    run: Run, answer: Callable[[], CheckResult]
) -> None:
    running = run(Fake("broken", answer), Fake("sound"))
    assert status(running, "broken") is Status.FAIL
    assert reason(running, "broken") is Reason.ERROR
    assert len(running.edition.detailed[1].body()) < 5_000


def test_a_probe_that_logs_ten_megabytes_fails_alone(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    written = StringIO()
    logger = logging.Logger("noisy")
    logger.addHandler(logging.StreamHandler(written))
    running = run(Fake("noisy", lambda: endless(logger)), Fake("sound"))
    assert status(running, "noisy") is Status.FAIL
    assert status(running, "sound") is Status.PASS
    assert written.tell() > 10_000_000
    assert len(caplog.text) < 200_000
    assert "ProbeFailed: RuntimeError" in caplog.text


def test_a_deadline_holds_while_the_probe_hangs(run: Run, release: threading.Event) -> None:
    began = time.monotonic()
    running = run(Fake("database", hanging_on(release), critical=True, deadline=0.2), Fake("cache"))
    assert 0.2 <= time.monotonic() - began < 10
    assert status(running, "database") is Status.FAIL
    assert reason(running, "database") is Reason.TIMEOUT
    assert running.edition.overall.code == 503


def test_a_service_that_starts_to_hang_warns_then_fails(run: Run, release: threading.Event) -> None:
    seen: list[Status] = []

    def receive(check: Check, **_: object) -> None:
        if check.name == "hanging":
            seen.append(check.status)

    signals.status_changed.connect(receive)
    probe = Fake("hanging", critical=True, deadline=0.1)
    running = run(probe)
    eventually(lambda: status(running, "hanging") is Status.PASS)
    probe.answer = hanging_on(release)
    eventually(lambda: seen[-1:] == [Status.FAIL])
    signals.status_changed.disconnect(receive)
    assert seen[-2:] == [Status.WARN, Status.FAIL]


def test_a_hung_probe_costs_two_threads_at_most(run: Run, release: threading.Event) -> None:
    probe = Fake("stuck", hanging_on(release), deadline=0.02, interval=0.01)
    running = run(probe)

    def failures() -> int:
        return next(running.edition.snapshot.of("stuck")).trail.failures

    def threads() -> int:
        return sum(thread.name == "health-stuck" for thread in threading.enumerate())

    eventually(lambda: probe.runs == 2)
    replaced_at = failures()
    eventually(lambda: failures() > replaced_at + 3 * PATIENCE)
    assert (probe.runs, threads()) == (2, 2)
    release.set()
    eventually(lambda: status(running, "stuck") is Status.PASS)
    eventually(lambda: threads() == 1)


def test_a_result_after_the_deadline_counts_as_failure(run: Run) -> None:
    late = threading.Event()
    probe = Fake("cache", hanging_on(late), deadline=0.05, interval=0.02)
    running = run(probe)
    late.set()
    eventually(lambda: next(running.edition.snapshot.of("cache")).trail.latest is Status.PASS)
    assert probe.runs >= 2


def test_one_failure_warns_and_two_passes_recover(run: Run) -> None:
    probe = Fake("cache")
    running = run(probe)
    probe.answer = lambda: FAIL
    eventually(lambda: status(running, "cache") is Status.FAIL)
    assert running.edition.overall.word is Status.WARN
    probe.answer = lambda: PASS
    eventually(lambda: status(running, "cache") is Status.PASS)


def test_a_wake_does_not_wait_for_the_interval(run: Run) -> None:
    probe = Fake("breakers", interval=60)
    running = run(probe, Fake("cache"))
    probe.answer = lambda: CheckResult(Status.WARN, Reason.OPEN)
    checker.wake("breakers", "nobody")
    assert eventually(lambda: status(running, "breakers") is Status.WARN) < 10


def test_the_scheduler_survives_its_own_errors(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    probe = Fake("cache", deadline=0.3)
    running = run(probe)
    monkeypatch.setattr(probe, "interval", "soon")
    eventually(lambda: "goes on after an error" in caplog.text)
    monkeypatch.setattr(probe, "interval", 0.05)
    probe.answer = lambda: FAIL
    eventually(lambda: status(running, "cache") is Status.FAIL)


def test_no_probe_is_needed(run: Run) -> None:
    assert run().edition.snapshot.status is Status.PASS


def test_a_probe_must_say_how_it_runs() -> None:
    with pytest.raises(TypeError):
        Probe()  # type: ignore[abstract]
