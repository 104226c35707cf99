"""The flows by hand: no store, no clock, no sleep."""

from itertools import count

import pytest

from locking import LockBusy, LockUnavailable, flows, scripts
from locking.errors import ConnectionBroken, ScriptMissing
from locking.flows import Attempt, Grant, Run, Settle, Sleep

KEYS = ("l", "q", "w", "s", "idx")
HELD = [0, 5000, 41, 1_500_000, b"host:7:8", b'{"job":1}']


def attempt(wait):
    return Attempt(
        name="n", keys=KEYS, token="tok", lease=10.0, wait=wait, actor="a:1:1", meta="", floor=0
    )


def acquiring(wait=5.0, *, times=(0.0,), random=0.5):
    """The flow, begun; its clock shows ``times`` and then the last of them for ever."""
    ticks = iter(times)
    last = [0.0]

    def clock():
        last[0] = next(ticks, last[0])
        return last[0]

    flow = flows.acquire(attempt(wait), clock=clock, random=lambda: random)
    return flow, next(flow)


def result(flow, reply):
    with pytest.raises(StopIteration) as end:
        flow.send(reply)
    return end.value.value


def test_a_grant_is_trusted_from_before_it_was_asked_for_and_a_little_shorter():
    flow, _ = acquiring(times=(99.0, 100.0, 107.0))
    assert result(flow, [1, 42]) == Grant(fence=42, deadline=100.0 + 9.9 - 0.002)


def test_the_first_call_does_not_enrol_and_the_next_ones_do():
    flow, first = acquiring()
    assert first.args == ("tok", 10_000, 0, 15_000, "a:1:1", "", 0)
    assert isinstance(flow.send(HELD), Sleep)
    assert flow.send(None).args[2] == 1


def test_pauses_grow_to_their_limit():
    flow, _ = acquiring(random=1.0)
    pauses = []
    for _ in range(8):
        pauses.append(flow.send(HELD).seconds)
        flow.send(None)
    assert pauses == [0.002, 0.004, 0.008, 0.016, 0.032, 0.05, 0.05, 0.05]


def test_a_pause_ends_when_the_holder_runs_out_of_time():
    flow, _ = acquiring(random=1.0)
    for _ in range(8):
        flow.send(HELD)
        flow.send(None)
    assert flow.send([0, 10, *HELD[2:]]).seconds == pytest.approx(0.012)


def test_a_pause_ends_when_the_caller_gives_up():
    flow, _ = acquiring(wait=1.0, times=(0.0, 0.0, 0.9995), random=1.0)
    assert flow.send(HELD).seconds == pytest.approx(0.0005)


def test_a_lock_that_stays_held_is_busy_when_the_wait_is_over_and_leaves_the_queue():
    flow, _ = acquiring(wait=1.0, times=(0.0, 0.0, 0.5, 0.9, 1.0))
    flow.send(HELD)
    flow.send(None)
    assert flow.send(HELD) == Settle(scripts.ABANDON, KEYS, ("tok", 0))
    with pytest.raises(LockBusy) as busy:
        flow.send(None)
    assert busy.value.retry_after == 5.0
    assert (busy.value.holder.pid, busy.value.holder.meta) == (7, {"job": 1})


def test_one_try_that_finds_the_lock_held_costs_one_round_trip():
    flow, _ = acquiring(wait=0.0)
    with pytest.raises(LockBusy):
        flow.send(HELD)


def test_a_wait_without_end_goes_on():
    flow, run = acquiring(wait=None, times=count(step=1_000_000.0))
    assert run.until is None
    for _ in range(3):
        assert isinstance(flow.send(HELD), Sleep)
        assert isinstance(flow.send(None), Run)


@pytest.mark.parametrize(
    ("wait", "now", "until"),
    [(None, 0.0, None), (0.0, 0.0, None), (5.0, 0.0, 4.9), (5.0, 4.95, 5.05), (0.05, 0.0, 0.1)],
)
def test_a_call_ends_with_the_wait_but_gets_one_honest_round_trip(wait, now, until):
    _, run = acquiring(wait=wait, times=(0.0, now))
    assert run.until == (until if until is None else pytest.approx(until))


@pytest.mark.parametrize("error", [LockUnavailable(), KeyboardInterrupt(), RuntimeError()])
def test_a_call_without_reply_is_abandoned_as_one_that_may_still_land(error):
    flow, _ = acquiring()
    assert flow.throw(error) == Settle(scripts.ABANDON, KEYS, ("tok", 1))
    with pytest.raises(type(error)):
        flow.send(None)


def test_an_interrupted_first_sleep_has_nothing_to_undo():
    flow, _ = acquiring()
    flow.send(HELD)
    with pytest.raises(KeyboardInterrupt):
        flow.throw(KeyboardInterrupt())


def test_an_interrupted_later_sleep_leaves_the_queue():
    flow, _ = acquiring()
    flow.send(HELD)
    flow.send(None)
    flow.send(HELD)
    assert flow.throw(KeyboardInterrupt()) == Settle(scripts.ABANDON, KEYS, ("tok", 0))


@pytest.mark.parametrize("begun", [flows.acquire, flows.release])
def test_a_flow_thrown_away_says_nothing_more(begun):
    if begun is flows.acquire:
        flow, _ = acquiring()
    else:
        flow = flows.release(KEYS, "tok")
        next(flow)
    flow.close()


def test_a_forgotten_script_is_sent_whole():
    flow, run = acquiring()
    again = flow.throw(ScriptMissing())
    assert (run.whole, again.whole) == (False, True)
    assert again.args == run.args


def test_a_broken_connection_is_tried_once_more():
    flow, run = acquiring()
    assert flow.throw(ConnectionBroken()) == run
    assert isinstance(flow.throw(ConnectionBroken()), Settle)


def test_a_server_that_restarted_is_tried_on_a_new_connection_with_the_whole_script():
    flow, _ = acquiring()
    flow.throw(ConnectionBroken())
    assert flow.throw(ScriptMissing()).whole


@pytest.mark.parametrize(("reply", "deadline"), [(1, 100.0 + 19.8 - 0.002), (0, None)])
def test_extending_tells_the_new_deadline_or_that_there_is_none(reply, deadline):
    flow = flows.extend(KEYS, "tok", 20.0, until=105.0, clock=lambda: 100.0)
    run = next(flow)
    assert (run.script, run.args, run.until) == (scripts.EXTEND, ("tok", 20_000), 105.0)
    assert result(flow, reply) == (deadline if deadline is None else pytest.approx(deadline))


@pytest.mark.parametrize(("reply", "held"), [(1, True), (2, True), (0, False)])
def test_releasing_tells_whether_the_lock_was_held_until_then(reply, held):
    flow = flows.release(KEYS, "tok")
    next(flow)
    assert result(flow, reply) is held


def test_a_release_interrupted_is_said_again():
    flow = flows.release(KEYS, "tok")
    next(flow)
    assert flow.throw(KeyboardInterrupt()) == Settle(scripts.RELEASE, KEYS, ("tok",))


def test_a_release_without_reply_is_left_to_the_store():
    flow = flows.release(KEYS, "tok")
    next(flow)
    with pytest.raises(LockUnavailable):
        flow.throw(LockUnavailable())


def test_durations_reach_the_store_in_whole_milliseconds():
    assert [flows.milliseconds(seconds) for seconds in (0.0004, 0.01, 1.2345, 30)] == [
        1,
        10,
        1234,
        30_000,
    ]
