"""What is told of how long Google was waited for."""

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any, NamedTuple

import pytest
from asgiref.sync import async_to_sync

from breaker import CircuitOpenError, get_breaker, time_limit
from breaker.classify import Outcome
from breaker.contrib.google import timing, vertex
from breaker.contrib.google.calls import breaker
from breaker.contrib.google.errors import GenerationError
from breaker.contrib.google.signals import call_ended
from breaker.contrib.google.timing import Stopwatch, timed
from breaker.deadline import ends_at
from tests.product import until

from .conftest import Remote
from .test_calls import every_call

Made = Callable[[str], Any]


class Told(NamedTuple):
    circuit: str
    outcome: Outcome
    seconds: float


@pytest.fixture
def told() -> Iterator[list[Told]]:
    heard: list[Told] = []

    def hear(*, circuit: str, outcome: Outcome, seconds: float, **_: Any) -> None:
        heard.append(Told(circuit, outcome, seconds))

    call_ended.connect(hear)
    yield heard
    call_ended.disconnect(hear)


@every_call
def test_each_call_is_told_with_its_end(
    remote: Remote, told: list[Told], call: Made, service: str
) -> None:
    call("a cat")
    knobs: tuple[dict[str, Any], ...] = ({"status": 429}, {"status": 400}, {"status": 500})
    for fault in knobs:
        remote.fault(service, **fault)
        with pytest.raises(GenerationError):
            call("a cat")
    assert [one.outcome for one in told] == [
        Outcome.OK, Outcome.THROTTLED, Outcome.NEUTRAL, Outcome.FAILURE,
    ]  # fmt: skip
    assert len({one.circuit for one in told}) == 1
    assert told[0].circuit.startswith(f"{service}:")
    assert all(one.seconds > 0 for one in told)


def test_the_latency_is_within_what_is_told(remote: Remote, told: list[Told]) -> None:
    remote.fault("vertex", latency=0.3)
    vertex.generate("a cat")
    assert told[0].seconds >= 0.3


def test_what_never_began_is_not_told(remote: Remote, told: list[Told]) -> None:
    remote.fault("vertex", status=503)
    for _ in range(5):
        with pytest.raises(GenerationError):
            vertex.generate("a cat")
    del told[:]
    with pytest.raises(CircuitOpenError):
        vertex.generate("a cat")
    assert told == []


def test_a_reader_takes_none_of_googles_time(
    remote: Remote, told: list[Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(timing, "monotonic", lambda: now)

    def read() -> None:
        nonlocal now
        for _ in vertex.stream("a cat"):
            now += 1000

    async def aread() -> None:
        nonlocal now
        async for _ in vertex.astream("a cat"):
            now += 1000

    read()
    async_to_sync(aread)()
    assert now >= 2000
    assert [one.seconds for one in told] == [0, 0]


def test_a_stream_that_is_left_says_nothing(remote: Remote, told: list[Told]) -> None:
    chunks = iter(vertex.stream("a cat"))
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    assert [one.outcome for one in told] == [Outcome.NEUTRAL]


def test_a_watch_counts_what_is_between_its_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 10.0
    monkeypatch.setattr(timing, "monotonic", lambda: now)
    watch = Stopwatch()
    now = 12.0
    with watch.resting():
        now = 50.0
    now = 51.0
    assert watch.seconds == 3.0


def test_the_verdict_is_that_of_the_circuit(remote: Remote, told: list[Told]) -> None:
    """By its own rules: too late is slow, and a caller without time says nothing."""
    with timed(breaker("patient").allow()):
        pass
    with timed(get_breaker("hurried", slow_call_seconds=0.01).allow()) as watch:
        until(lambda: watch.seconds > 0.01)
    with pytest.raises(GenerationError), time_limit(0.001), timed(breaker("patient").allow()):
        until(lambda: ends_at() <= monotonic())
        raise GenerationError("too late")
    assert [(one.circuit, one.outcome) for one in told] == [
        ("patient", Outcome.OK),
        ("hurried", Outcome.SLOW),
        ("patient", Outcome.NEUTRAL),
    ]
