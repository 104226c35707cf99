import pytest

from benchmarks.rounds import Spread, interleave, percentile, ratio, spread


def test_each_takes_part_once_in_a_round_and_they_change_places() -> None:
    took_part: list[str] = []
    trials = {name: lambda name=name: took_part.append(name) or 1.0 for name in "abc"}
    results = interleave(trials, rounds=9)
    rounds = ["".join(took_part[start : start + 3]) for start in range(0, 30, 3)]
    assert {"".join(sorted(turn)) for turn in rounds} == {"abc"}
    assert len(set(rounds)) > 3
    assert results == {name: [1.0] * 9 for name in "abc"}


def test_the_first_round_is_not_counted() -> None:
    seconds = iter([9.0, 1.0, 2.0])
    assert interleave({"a": lambda: next(seconds)}, rounds=2) == {"a": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([3.0], Spread(3.0, 3.0, 3.0), id="alone"),
        pytest.param([5.0, 1.0, 2.0, 4.0, 3.0], Spread(3.0, 2.0, 4.0), id="quartiles"),
    ],
)
def test_a_spread_is_a_median_between_quartiles(values: list[float], expected: Spread) -> None:
    assert spread(values) == expected


def test_a_slow_round_does_not_move_the_ratio() -> None:
    assert ratio([1.0, 100.0, 1.0], [2.0, 200.0, 2.0]) == Spread(0.5, 0.5, 0.5)


def test_single_events_are_compared_by_the_medians_of_blocks() -> None:
    assert ratio([1, 1, 9, 4, 4, 4], [2, 2, 2, 9, 4, 4], block=3).median == 0.75


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100)])
def test_a_percentile_is_one_of_the_values(percent: int, value: float) -> None:
    assert percentile(range(100, 0, -1), percent) == value
