import math
from datetime import timedelta
from typing import Any

import pytest

from breaker import CircuitNameError, Policy, PolicyError, circuit_breaker, get_breaker
from breaker.names import canonical


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
    ],
    ids=repr,
)
def test_impossible_rules_are_refused_where_they_are_written(options: dict[str, Any]) -> None:
    with pytest.raises(PolicyError, match=next(iter(options))):
        circuit_breaker("x", **options)


def test_a_misspelt_option_is_named() -> None:
    with pytest.raises(TypeError, match="falure_threshold"):
        circuit_breaker("x", falure_threshold=3)


def test_the_documented_defaults() -> None:
    policy = Policy()
    assert (policy.failure_threshold, policy.window, policy.open_timeout) == (5, 60, 60)
    assert (policy.half_open_permits, policy.success_threshold) == (1, 1)
    assert policy.max_open_ms == 600_000


def test_half_of_a_pair_may_come_from_the_setting() -> None:
    circuit_breaker("x", max_open_timeout=30)
    circuit_breaker("x", open_timeout=100_000)


@pytest.mark.parametrize("name", ["", "x" * 201])
def test_names_that_are_empty_or_endless_are_refused(name: str) -> None:
    with pytest.raises(CircuitNameError):
        get_breaker(name)


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
