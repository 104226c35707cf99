import pytest

from health.engine.schedule import Act, Schedule

IDLE = Schedule(deadline=2, due=10)
RUNNING = IDLE.begin(10)
EXPIRED = RUNNING.expire(12, pause=1)
QUICK = RUNNING.finish(10.1, pause=5)


@pytest.mark.parametrize(
    ("schedule", "now", "act"),
    [
        pytest.param(IDLE, 9.9, Act.WAIT, id="not yet due"),
        pytest.param(IDLE, 10, Act.BEGIN, id="due"),
        pytest.param(RUNNING, 11.9, Act.WAIT, id="running"),
        pytest.param(RUNNING, 12, Act.EXPIRE, id="at its deadline"),
        pytest.param(EXPIRED, 12.9, Act.WAIT, id="given up until the next count"),
        pytest.param(EXPIRED, 13, Act.EXPIRE, id="still stuck counts again"),
        pytest.param(EXPIRED, 30, Act.REPLACE, id="stuck for ten deadlines"),
        pytest.param(RUNNING.finish(11, pause=5), 15.9, Act.WAIT, id="finished"),
        pytest.param(RUNNING.finish(11, pause=5), 16, Act.BEGIN, id="finished and due again"),
        pytest.param(RUNNING.hurry(11).finish(11.5, pause=5), 11.5, Act.BEGIN, id="hurried"),
        pytest.param(IDLE.hurry(3), 3, Act.BEGIN, id="hurried idle"),
        pytest.param(QUICK.hurry(10.1), 10.1, Act.WAIT, id="hurried while out of breath"),
        pytest.param(QUICK.hurry(10.1), 10.2, Act.BEGIN, id="hurried after a breath"),
        pytest.param(QUICK.hurry(30), 15.1, Act.BEGIN, id="a hurry puts nothing off"),
    ],
)
def test_what_to_do(schedule: Schedule, now: float, act: Act) -> None:
    assert schedule.act(now) is act
    assert (now >= schedule.next_event()) is (act is not Act.WAIT)


def test_each_round_has_its_own_number() -> None:
    assert (IDLE.round, RUNNING.round, RUNNING.finish(11, pause=5).begin(16).round) == (0, 1, 2)


def test_a_hurry_is_spent_by_one_extra_round() -> None:
    again = RUNNING.hurry(11).finish(11.5, pause=5).begin(11.5)
    assert again.finish(12, pause=5).due == 17
