import pytest

from breaker.window import Tally, Window

WIDTH = 6_000


@pytest.mark.parametrize(
    ("later", "calls"),
    [
        pytest.param(0, 3, id="at once"),
        pytest.param(9 * WIDTH, 3, id="in the tenth bucket"),
        pytest.param(10 * WIDTH, 0, id="in the eleventh"),
        pytest.param(-WIDTH, 0, id="after the clock stepped back"),
    ],
)
def test_calls_count_for_ten_buckets(later: int, calls: int) -> None:
    window = Window(WIDTH).add(Tally(1, 1, 1), now=100 * WIDTH)
    assert window.total(now=100 * WIDTH + later).calls == calls


def test_a_bucket_collects_until_its_slot_is_used_again() -> None:
    window = Window(WIDTH)
    for now in (0, WIDTH - 1, WIDTH):
        window = window.add(Tally(ok=1), now=now)
    assert window.total(now=WIDTH) == Tally(ok=3)
    window = window.add(Tally(failed=1), now=10 * WIDTH)
    assert window.total(now=10 * WIDTH) == Tally(ok=1, failed=1)


def test_what_counts_now_counts_in_a_window_of_another_width_too() -> None:
    window = Window(WIDTH).add(Tally(ok=1), now=0)
    assert window.of_width(WIDTH, now=0) is window
    assert window.of_width(10, now=0).total(now=0) == window.total(now=0)
    assert window.of_width(10, now=10 * WIDTH).total(now=10 * WIDTH) == Tally()


def test_failures_are_failed_and_throttled_calls() -> None:
    tally = Tally(ok=1, failed=2, throttled=3)
    assert (tally.calls, tally.failures) == (6, 5)
