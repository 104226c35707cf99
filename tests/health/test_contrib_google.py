"""Google as health sees it: what real calls met, and whether a call could be made."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings

from breaker import get_breaker
from breaker.agent import agent
from breaker.classify import Outcome
from breaker.contrib.google.access import Access, Endpoint, TokenRefused
from breaker.contrib.google.signals import call_ended
from health import CheckResult, Reason, Status
from health.contrib.google import (
    COUNTED,
    THROTTLED,
    Counts,
    Google,
    Traffic,
    connect,
    joined,
    possible,
    refusal,
    throttling,
)
from health.engine.checker import Checker

from .conftest import call, eventually
from .door import bound, listening
from .probes import Fake
from .test_metrics import scrape

Run = Callable[..., Checker]
PASS = CheckResult(Status.PASS)


@pytest.fixture
def fresh(transactional_db: None, settings: Settings) -> Iterator[str]:
    """A word for names of this test's own: the agent of an earlier one may still be at work."""
    agent.forget()
    word = uuid4().hex
    settings.BREAKER = {**settings.BREAKER, "NAMESPACE": word}
    yield word
    agent.flush()
    agent.forget()


def test_google_counts_only_where_it_is_configured(settings: Settings) -> None:
    settings.GOOGLE_AI = {}
    result = Google("google_veo", Access()).run()
    assert result == CheckResult(Status.UNKNOWN, Reason.NOT_CONFIGURED)


def test_each_service_looks_at_its_own_circuits(
    settings: Settings, fresh: str, silent_port: int
) -> None:
    settings.GOOGLE_AI = {"SIMULATOR_PORT": silent_port}
    with pytest.raises(ConnectionError):
        get_breaker(f"veo:{fresh}:submit", failure_threshold=1).call(_fail)
    found = {
        name: Google(name, Access()).run()
        for name in ("google_imagen", "google_veo", "google_vertex_ai")
    }
    assert {name: (one.status, one.reason) for name, one in found.items()} == {
        "google_imagen": (Status.PASS, None),
        "google_veo": (Status.WARN, Reason.OPEN),
        "google_vertex_ai": (Status.PASS, None),
    }
    assert [part.component for part in found["google_veo"].parts] == [
        "endpoint",
        f"veo:{fresh}:submit",
    ]


def _fail() -> None:
    raise ConnectionError


def test_calls_are_counted_by_how_they_ended(
    settings: Settings, fresh: str, silent_port: int
) -> None:
    settings.GOOGLE_AI = {"SIMULATOR_PORT": silent_port}
    breaker = get_breaker(f"imagen:{fresh}")
    breaker.call(str)
    agent.flush()
    probe = Google("google_imagen", Access())
    assert probe.run().values["ok"] == 0  # what was before is not lately
    probe._census = type(probe._census)()
    breaker.call(str)
    with pytest.raises(ConnectionError):
        breaker.call(_fail)
    agent.flush()
    values = probe.run().values
    assert (values["ok"], values["failed"], values["throttled"]) == (1, 1, 0)


def test_how_long_calls_take_is_told_by_circuit_and_end(
    run: Run, settings: Settings, fresh: str
) -> None:
    settings.HEALTH = {**settings.HEALTH, "ALLOWED_CIDRS": ["127.0.0.0/8"]}
    connect()
    for outcome, seconds in ((Outcome.OK, 3.0), (Outcome.OK, 7.0), (Outcome.FAILURE, 61.0)):
        call_ended.send(None, circuit=f"veo:{fresh}", outcome=outcome, seconds=seconds)
    run(Fake("cache"))
    seen, name = scrape(), "breaker_call_duration_seconds"
    ok = ("breaker", f"veo:{fresh}"), ("outcome", "ok")
    failed = ("breaker", f"veo:{fresh}"), ("outcome", "failure")
    assert (seen[f"{name}_count", ok], seen[f"{name}_sum", ok]) == (2, 10)
    assert seen[f"{name}_bucket", (ok[0], ("le", "5.0"), ok[1])] == 1
    assert seen[f"{name}_bucket", (failed[0], ("le", "60.0"), failed[1])] == 0
    assert seen[f"{name}_count", failed] == 1


def test_an_endpoint_goes_down_and_comes_back(run: Run, settings: Settings, fresh: str) -> None:
    kept = bound(0)  # so that nobody else takes the port while nobody listens
    port = kept.getsockname()[1]
    settings.GOOGLE_AI = {"SIMULATOR_PORT": port}
    with kept:
        with listening(port):
            probe = Google("google_veo", Access())
            probe.interval = 0.05
            run(probe)
            assert call("/health/google_veo").status == 200
        # What was found holds for a minute, unless a call gives reason to doubt it.
        with pytest.raises(ConnectionError):
            get_breaker(f"veo:{fresh}", failure_threshold=1).call(_fail)
        agent.flush()
        eventually(lambda: call("/health/google_veo").status == 503)
        assert call("/health").status == 200  # users can do without
        with listening(port):
            eventually(lambda: call("/health/google_veo").status == 200)


def test_a_resolver_that_takes_its_time_holds_up_nobody(
    run: Run, settings: Settings, fresh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    resolve = socket.getaddrinfo

    def slow(host: Any, *arguments: Any, **options: Any) -> Any:
        if host == "europe-west4-aiplatform.googleapis.com":
            gate.wait()
        return resolve("127.0.0.1" if gate.is_set() else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere")
    settings.GOOGLE_AI = {"PROJECT": "shop", "LOCATION": "europe-west4"}
    probe = Google("google_veo", Access())
    probe.deadline = 0.3
    running = run(probe)
    check = next(running.edition.snapshot.of("google_veo"))
    gate.set()
    assert (check.status, check.trail.reason) == (Status.FAIL, Reason.TIMEOUT)


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        (None, Status.FAIL, Reason.CREDENTIALS),
        (400, Status.FAIL, Reason.CREDENTIALS),
        (401, Status.FAIL, Reason.CREDENTIALS),
        (403, Status.FAIL, Reason.CREDENTIALS),
        (429, Status.WARN, Reason.THROTTLED),
        (500, Status.FAIL, Reason.SERVER_ERROR),
        (503, Status.FAIL, Reason.SERVER_ERROR),
    ],
)
def test_what_a_refusal_means(code: int | None, status: Status, reason: Reason) -> None:
    assert refusal(code) == CheckResult(status, reason)


def test_without_credentials_and_without_an_endpoint_each_says_its_own(
    closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere")
    parts = list(possible(Access(), Endpoint("127.0.0.1", closed_port, tls=True)))
    assert [(part.component, part.reason) for part in parts] == [
        ("credentials", Reason.CREDENTIALS),
        ("endpoint", Reason.REFUSED),
    ]
    assert [type(part.cause) for part in parts] == [TokenRefused, ConnectionRefusedError]


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        (Counts(), Status.PASS),
        (Counts(ok=50), Status.PASS),
        (Counts(ok=91, throttled=9), Status.PASS),
        (Counts(ok=90, throttled=10), Status.WARN),
        (Counts(throttled=1), Status.WARN),
        (Counts(failed=10), Status.PASS),
    ],
    ids=str,
)
def test_a_tenth_of_calls_turned_away_is_too_many(counts: Counts, status: Status) -> None:
    assert throttling(counts).status is status


def test_of_several_troubles_the_worst_is_told() -> None:
    opened = CheckResult(Status.WARN, Reason.OPEN, retry_after=41)
    throttled = CheckResult(Status.WARN, Reason.THROTTLED)
    refused = CheckResult(Status.FAIL, Reason.REFUSED)
    for members, expected in (
        ((PASS, PASS, ()), PASS),
        ((opened, throttled, (PASS,)), opened),
        ((PASS, throttled, (PASS,)), throttled),
        ((opened, throttled, (PASS, refused)), refused),
    ):
        result = joined(*members, Counts())
        assert (result.status, result.reason) == (expected.status, expected.reason)
        assert result.retry_after == expected.retry_after


def test_traffic_is_what_came_within_the_time_looked_at() -> None:
    traffic = Traffic()
    assert traffic.add(0, Counts(ok=100)) == Counts()
    assert traffic.add(10, Counts(ok=103, throttled=1)) == Counts(ok=3, throttled=1)
    assert traffic.within(COUNTED) == Counts(ok=3, throttled=1)
    assert traffic.add(10 + THROTTLED, Counts(ok=104, throttled=1)) == Counts(ok=1)
    assert traffic.within(THROTTLED) == Counts(ok=1)
    assert traffic.within(COUNTED) == Counts(ok=4, throttled=1)
    assert traffic.add(20 + COUNTED, Counts(ok=104, throttled=1)) == Counts()
    assert traffic.within(COUNTED) == Counts()


def test_of_a_circuit_that_was_reset_the_past_does_not_count() -> None:
    traffic = Traffic()
    traffic.add(0, Counts(ok=100))
    traffic.add(1, Counts(ok=110))
    assert traffic.add(2, Counts(ok=1)) == Counts()
    assert traffic.within(COUNTED) == Counts()
