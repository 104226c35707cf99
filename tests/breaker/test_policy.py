import math
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from breaker import (
    CircuitNameError,
    Outcome,
    Policy,
    PolicyError,
    bulkhead,
    circuit_breaker,
    get_breaker,
)
from breaker.classify import Rules
from breaker.names import canonical
from breaker.registry import known
from tests.breaker.test_guard import open_circuit


@pytest.mark.parametrize(
    "options",
    [
        {"failure_threshold": 0},
        {"failure_threshold": -1},
        {"failure_threshold": 2.5},
        {"failure_threshold": True},
        {"failure_threshold": "5"},
        {"minimum_calls": 0},
        {"half_open_permits": 0},
        {"success_threshold": 10**9},
        {"window": 0},
        {"window": math.nan},
        {"window": math.inf},
        {"open_timeout": -60},
        {"open_timeout": None},
        {"open_timeout": timedelta(seconds=60)},
        {"max_open_timeout": math.nan},
        {"failure_rate": 0},
        {"failure_rate": 1.1},
        {"failure_rate": math.nan},
        {"backoff_factor": 0.5},
        {"backoff_factor": math.inf},
        {"open_timeout": 60, "max_open_timeout": 59},
        {"consecutive": 1},
        {"consecutive": True, "failure_rate": 0.5},
        {"slow_call_seconds": 0},
        {"slow_call_seconds": "10"},
        {"slow_rate": 0},
        {"slow_rate": None},
        {"slow_rate": 1.5},
        {"trip_quorum": 0},
        {"trip_quorum": 1.0},
        {"jitter": -0.1},
        {"jitter": 1.01},
        {"half_open_timeout": 0},
        {"on_store_error": "allowed"},
        {"on_store_error": None},
        {"on_store_error": ["allow"]},
    ],
    ids=repr,
)
def test_impossible_options_are_refused_where_they_are_written(options: dict[str, Any]) -> None:
    name = next(iter(options))
    with pytest.raises(PolicyError, match=name):
        Policy(**options)
    with pytest.raises(PolicyError, match=name):
        circuit_breaker("x", **options)
    with pytest.raises(PolicyError, match=name):
        get_breaker("x", **options)


@pytest.mark.parametrize(
    "options",
    [
        {"ignore": [ValueError]},
        {"record": (ValueError(),)},
        {"ignore": (KeyboardInterrupt,)},
        {"classify": "rules"},
        {"retry_after": None},
        *(
            {rule: nothing}
            for rule in (
                "ignore", "record", "record_result", "classify", "retry_after", "fallback", "key"
            )
            for nothing in (0, "", [], False)
        ),
    ],
    ids=repr,
)  # fmt: skip
def test_impossible_rules_are_refused_where_they_are_written(options: dict[str, Any]) -> None:
    with pytest.raises(PolicyError, match=f"{next(iter(options))} must be"):
        circuit_breaker("x", **options)


class Nothing:
    """A function that is false, as one with a length of 0 may be."""

    def __len__(self) -> int:
        return 0

    def __call__(self, *args: object, **kwargs: object) -> str:
        return "called"


def test_a_function_that_is_false_is_one_all_the_same() -> None:
    rules = Rules(record_result=Nothing())
    assert rules.judges_results
    assert rules.outcome("a result") is Outcome.FAILURE
    assert Rules(classify=Nothing()).judges_results
    guarded = circuit_breaker("nothing", fallback=Nothing(), key=Nothing())(lambda: [])
    assert guarded() == []
    open_circuit("nothing:called")
    assert guarded() == "called"


def test_a_misspelt_option_is_named() -> None:
    with pytest.raises(TypeError, match="falure_threshold"):
        circuit_breaker("x", falure_threshold=3)


def test_the_documented_defaults() -> None:
    policy = Policy()
    assert (policy.failure_threshold, policy.window, policy.open_timeout) == (5, 60, 60)
    assert (policy.half_open_permits, policy.success_threshold) == (1, 1)
    assert policy.max_open_ms == 600_000


def test_half_of_a_pair_may_come_from_the_setting(settings: Settings) -> None:
    with pytest.raises(PolicyError, match="max_open_timeout"):
        circuit_breaker("x", max_open_timeout=30)
    settings.BREAKER = {**settings.BREAKER, "OPEN_TIMEOUT": 20}
    circuit_breaker("x", max_open_timeout=30)


@pytest.mark.parametrize(
    ("setting", "options"),
    [
        ({"OPEN_TIMEOUT": 90}, {"max_open_timeout": 60}),
        ({"MAX_OPEN_TIMEOUT": 90}, {"open_timeout": 100}),
        ({"FAILURE_RATE": 0.5}, {"consecutive": True}),
        ({"CONSECUTIVE": True}, {"failure_rate": 0.5}),
    ],
    ids=repr,
)
def test_options_that_contradict_the_setting_are_refused_where_they_are_written(
    settings: Settings, setting: dict[str, Any], options: dict[str, Any]
) -> None:
    settings.BREAKER = {**settings.BREAKER, **setting}
    with pytest.raises(PolicyError, match=next(iter(options))):
        circuit_breaker("x", **options)
    with pytest.raises(PolicyError, match=next(iter(options))):
        get_breaker("contradicts", **options)
    assert not known("contradicts")


@pytest.mark.parametrize("setting", [{"OPEN_TIMEOUT": 0}, {"OPEN_TIMEOUTS": 60}], ids=repr)
def test_a_wrong_setting_is_not_blamed_on_the_options(
    settings: Settings, setting: dict[str, Any]
) -> None:
    settings.BREAKER = {**settings.BREAKER, **setting}
    circuit_breaker("x", max_open_timeout=30)
    with pytest.raises(PolicyError, match="window"):
        circuit_breaker("x", window=0)


def test_decorators_may_run_before_django_is_configured() -> None:
    program = """
from django.conf import settings
from breaker import PolicyError, circuit_breaker, get_breaker

@circuit_breaker("early", max_open_timeout=30)
def early(): ...

try:
    circuit_breaker("bad", open_timeout=60, max_open_timeout=30)
except PolicyError:
    pass
else:
    raise SystemExit("a contradiction within the options was not met")
settings.configure(BREAKER={"OPEN_TIMEOUT": 20})
assert get_breaker("early").replica.policy.max_open_timeout == 30
"""
    env = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO")}
    subprocess.run([sys.executable, "-c", program], check=True, env=env, timeout=60)


@pytest.mark.parametrize("name", ["", "x" * 201, 5, None, True, b"bytes", ("x",)], ids=repr)
def test_names_that_are_empty_or_endless_or_no_text_are_refused(name: Any) -> None:
    with pytest.raises(CircuitNameError, match="name"):
        get_breaker(name)
    with pytest.raises(CircuitNameError, match="name"):
        bulkhead(name, limit=1)


@pytest.mark.parametrize("name", ["veo:us-central1:veo-3", "été 北京 {}:*", "x" * 200])
def test_printable_names_are_taken_as_they_are(name: str) -> None:
    assert get_breaker(name).name == name
    assert get_breaker(name) is get_breaker(name)


@pytest.mark.parametrize("name", ["a\x00b", "a\nb", "\ud800", "\x1b[31mred"])
def test_other_names_are_digested(name: str) -> None:
    digest = get_breaker(name).name
    assert digest.isprintable()
    assert len(digest) == 33
    assert canonical(digest) == digest
    assert get_breaker(name) is get_breaker(digest)
