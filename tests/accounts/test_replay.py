from datetime import UTC, datetime, timedelta

import pytest

from accounts.replay import Verdict, judge

USED = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "successor_used", "verdict"),
    [
        pytest.param(-0.5, False, Verdict.OVERLAP, id="presented before the winner committed"),
        pytest.param(0.9, False, Verdict.OVERLAP, id="inside the window"),
        pytest.param(1.0, False, Verdict.REUSED, id="at the end of the window"),
        pytest.param(60, False, Verdict.REUSED, id="long after"),
        pytest.param(0.1, True, Verdict.REUSED, id="inside, but the successor is in use"),
    ],
)
def test_a_second_use_is_judged(seconds: float, successor_used: bool, verdict: Verdict) -> None:
    assert verdict is judge(
        presented_at=USED + timedelta(seconds=seconds),
        used_at=USED,
        successor_used=successor_used,
        overlap=timedelta(seconds=1),
        grace=timedelta(0),
    )


@pytest.mark.parametrize(
    ("seconds", "successor_used", "verdict"),
    [
        pytest.param(-0.5, False, Verdict.REPEATED, id="presented before the winner committed"),
        pytest.param(29, False, Verdict.REPEATED, id="inside the grace"),
        pytest.param(30, False, Verdict.REUSED, id="at the end of the grace"),
        pytest.param(1, True, Verdict.REUSED, id="inside, but the successor is in use"),
    ],
)
def test_with_a_grace_the_same_call_may_be_repeated(
    seconds: float, successor_used: bool, verdict: Verdict
) -> None:
    assert verdict is judge(
        presented_at=USED + timedelta(seconds=seconds),
        used_at=USED,
        successor_used=successor_used,
        overlap=timedelta(seconds=1),
        grace=timedelta(seconds=30),
    )
