import pytest

from breaker import PolicyError
from breaker.backoff import Backoff

TEN = Backoff(attempts=10, delay=0.1, throttled_delay=1, max_delay=5)


@pytest.mark.parametrize(
    ("attempt", "throttled", "asked", "random", "wait"),
    [
        pytest.param(1, False, 0, 1.0, 0.1, id="the first wait"),
        pytest.param(3, False, 0, 1.0, 0.4, id="twice as long each time"),
        pytest.param(3, False, 0, 0.5, 0.2, id="jitter goes all the way"),
        pytest.param(3, False, 0, 0.0, 0.0, id="down to nothing"),
        pytest.param(9, False, 0, 1.0, 5.0, id="up to a cap"),
        pytest.param(1, True, 0, 1.0, 1.0, id="longer for who has enough"),
        pytest.param(5, True, 0, 1.0, 5.0, id="up to the same cap"),
        pytest.param(1, False, 3, 0.0, 3.0, id="never shorter than asked"),
        pytest.param(1, False, 3, 1.0, 3.1, id="spread above what was asked"),
        pytest.param(1, False, 5.01, 0.0, None, id="asked for longer than the cap"),
        pytest.param(10, False, 0, 1.0, None, id="no attempts left"),
    ],
)
def test_waits(
    attempt: int, throttled: bool, asked: float, random: float, wait: float | None
) -> None:
    found = TEN.wait(attempt, throttled=throttled, asked=asked, random=random)
    assert found == (wait if wait is None else pytest.approx(wait))


def test_one_attempt_is_no_retry() -> None:
    assert Backoff(attempts=1).wait(1, throttled=False, asked=0, random=1) is None


def test_waits_of_many_attempts_stay_within_numbers() -> None:
    most = Backoff(attempts=100, max_delay=60)
    assert most.wait(99, throttled=True, asked=60, random=1) == 120


@pytest.mark.parametrize(
    "options",
    [
        {"attempts": 0},
        {"attempts": 101},
        {"attempts": 2.0},
        {"delay": -1},
        {"delay": float("nan")},
        {"delay": "1"},
        {"max_delay": float("inf")},
        {"delay": 2, "max_delay": 1},
        {"throttled_delay": -1},
    ],
    ids=str,
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(PolicyError):
        Backoff(**options)
