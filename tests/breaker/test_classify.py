import asyncio
from types import SimpleNamespace

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import Http404

from breaker import CircuitOpenError, Outcome, default_outcome, get_breaker
from breaker.classify import Rules


class WithCode(Exception):
    def __init__(self, code: object) -> None:
        self.code = code


class WithStatus(Exception):
    status_code = 503


class WithResponse(Exception):
    response = SimpleNamespace(status_code=404)


class WithWait(Exception):
    def __init__(self, retry_after: object) -> None:
        self.retry_after = retry_after


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        ("a result", Outcome.OK),
        (None, Outcome.OK),
        (ValueError("no"), Outcome.FAILURE),
        (TimeoutError(), Outcome.FAILURE),
        (WithCode(500), Outcome.FAILURE),
        (WithCode(408), Outcome.FAILURE),
        (WithCode(429), Outcome.THROTTLED),
        (WithCode(404), Outcome.NEUTRAL),
        (WithCode("404"), Outcome.FAILURE),
        (WithStatus(), Outcome.FAILURE),
        (WithResponse(), Outcome.NEUTRAL),
        (asyncio.CancelledError(), Outcome.NEUTRAL),
        (KeyboardInterrupt(), Outcome.NEUTRAL),
        (SystemExit(1), Outcome.NEUTRAL),
        (GeneratorExit(), Outcome.NEUTRAL),
        (CircuitOpenError("inner", 1, "open"), Outcome.NEUTRAL),
    ],
    ids=repr,
)
def test_the_default_verdict(end: object, outcome: Outcome) -> None:
    assert default_outcome(end) is outcome
    assert Rules().outcome(end) is outcome


def test_ignored_goes_before_recorded_goes_before_classified() -> None:
    rules = Rules(
        ignore=(KeyError,), record=(LookupError, WithCode), classify=lambda end: Outcome.THROTTLED
    )
    assert rules.outcome(KeyError()) is Outcome.NEUTRAL
    assert rules.outcome(WithCode(404)) is Outcome.FAILURE
    assert rules.outcome(ValueError()) is Outcome.THROTTLED
    assert rules.outcome("a result") is Outcome.THROTTLED


@pytest.mark.parametrize("end", [CircuitOpenError("inner", 1, "open"), asyncio.CancelledError()])
def test_no_rule_can_blame_the_dependency_for_what_never_reached_it(end: BaseException) -> None:
    rules = Rules(classify=lambda end: Outcome.FAILURE)
    assert rules.outcome(end) is Outcome.NEUTRAL


def test_a_broken_rule_is_logged_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    def broken(end: object) -> None:
        raise RuntimeError("broken rule")

    rules = Rules(classify=broken, retry_after=broken)
    assert rules.outcome("a result") is Outcome.OK
    assert rules.wait(ValueError()) == 0
    assert len(caplog.records) == 2


class Unprepared(Exception):
    @property
    def response(self) -> None:
        raise RuntimeError("It has not been set.")


def test_an_exception_that_cannot_be_looked_into_is_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(end: object) -> Outcome:
        raise RuntimeError("broken rule")

    for rules in (Rules(), Rules(classify=broken)):
        assert rules.outcome(Unprepared()) is Outcome.FAILURE
        assert rules.outcome("a result") is Outcome.OK
    assert len(caplog.records) == 3


def test_no_rule_replaces_the_exception_of_the_caller() -> None:
    def fail() -> None:
        raise Unprepared("the caller's own")

    breaker = get_breaker("unprepared", failure_threshold=1)
    with pytest.raises(Unprepared, match="the caller's own"):
        breaker.call(fail)
    assert breaker.state == "open"


def test_a_wait_that_is_no_number_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    assert Rules(retry_after=lambda end: "7").wait(ValueError()) == 0
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("asked", "wait"), [(7, 7), (1.5, 1.5), (None, 0), (-1, 0), ("7", 0), (1e99, 0)]
)
def test_the_wait_an_error_asks_for(asked: object, wait: float) -> None:
    assert Rules().wait(WithWait(asked)) == wait


@pytest.mark.parametrize(
    ("members", "outcome"),
    [
        ([CircuitOpenError("inner", 1, "open")], Outcome.NEUTRAL),
        ([CircuitOpenError("inner", 1, "open"), ConnectionError()], Outcome.FAILURE),
        ([ExceptionGroup("more", [LookupError()]), LookupError()], Outcome.NEUTRAL),
        ([LookupError(), ExceptionGroup("more", [OSError()])], Outcome.FAILURE),
    ],
    ids=["only refusals", "a refusal and a failure", "all ignored", "a failure deep within"],
)
def test_of_several_exceptions_the_worst_counts(members: list[Exception], outcome: Outcome) -> None:
    assert Rules(ignore=(LookupError,)).outcome(ExceptionGroup("several", members)) is outcome


@pytest.mark.parametrize("answer", [Http404, PermissionDenied, SuspiciousOperation, BadRequest])
def test_what_a_view_answers_its_caller_says_nothing(answer: type[Exception]) -> None:
    assert default_outcome(answer()) is Outcome.NEUTRAL
