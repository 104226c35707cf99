"""The flows by hand: no store, no clock, no sleep."""

from itertools import count

import pytest

from locking import LockBusy, LockQueueFull, LockUnavailable, flows, scripts
from locking.attempts import Attempt, Grant
from locking.durability import Durability
from locking.errors import ConnectionBroken, ScriptMissing
from locking.steps import Await, Listen, News, Run, Settle
from tests.locking.terms import terms

KEYS = ("l", "q", "w", "s", "idx")
HELD = [0, 5000, 41, 1_500_000, b"host:7:8:u", b'{"job":1}', 0, 77]
# The same, told to somebody who does not stand in line.
TOLD = [*HELD[:6], -1, 0]


def attempt(wait):
    return Attempt(
        name="n", keys=KEYS, token="tok", terms=terms(), wait=wait, channel="c", actor="a:1:1:u",
    )  # fmt: skip


def acquiring(wait=5.0, *, times=(0.0,), random=0.5, news=News.NONE):
    """The flow up to its first call; its clock shows ``times`` and then the last for ever."""
    ticks = iter(times)
    last = [0.0]

    def clock():
        last[0] = next(ticks, last[0])
        return last[0]

    flow = flows.acquire(attempt(wait), clock=clock, random=lambda: random)
    step = next(flow)
    if wait != 0:
        assert step == Listen("tok", "c")
        step = flow.send(news)
    return flow, step


def waiting(news=News.PUSHED, **options):
    """The flow in line and asleep, and its sleep."""
    flow, _ = acquiring(news=news, **options)
    return flow, flow.send(HELD)


def result(flow, reply):
    with pytest.raises(StopIteration) as end:
        flow.send(reply)
    return end.value.value


def test_a_grant_is_trusted_from_before_it_was_asked_for_and_a_little_shorter():
    flow, _ = acquiring(times=(99.0, 100.0, 107.0))
    assert result(flow, 42) == Grant(fence=42, deadline=100.0 + 9.9 - 0.002, waited=0.0)


def test_the_first_call_joins_the_queue_when_the_process_listens_already():
    _, first = acquiring(news=News.PUSHED)
    assert first.args == ("tok", 10_000, 0, "c a:1:1:u ", "1 15000 0 1 100")


def test_the_first_call_of_a_process_that_does_not_listen_yet_joins_the_line_all_the_same():
    flow, first = acquiring()
    assert first.args[4] == "2 1000 0 1 100"
    assert flow.send(TOLD) == Listen("tok", "c", 0.05)
    assert flow.send(News.PUSHED).args[4] == "1 15000 0 1 100"


def test_beginning_to_listen_takes_no_longer_than_the_wait():
    flow, _ = acquiring(wait=0.03)
    assert flow.send(TOLD) == Listen("tok", "c", pytest.approx(0.03))


def test_a_waiter_keeps_its_seniority():
    flow, _ = waiting()
    assert flow.send((News.PUSHED, 0)).args[4].split()[2] == "77"


def test_a_waiter_whose_connection_is_lost_polls_until_it_is_back():
    flow, _ = waiting()
    assert flow.send((News.POLLED, 0)).args[4] == "2 1000 77 1 100"
    assert flow.send(HELD).seconds == pytest.approx(0.05 * 0.75)
    assert flow.send((News.PUSHED, 0)).args[4] == "1 15000 77 1 100"


@pytest.mark.parametrize(
    ("ttl", "position", "seconds"),
    [(60_000, 0, 2.5), (5_000, 9, 2.5), (1_000, 0, 1.002), (1_000, 7, 1.072), (-2, 0, 0.002)],
)
def test_a_waiter_sleeps_until_the_lease_ends_and_a_little_longer_the_later_its_turn(
    ttl, position, seconds
):
    flow, _ = acquiring(wait=None, news=News.PUSHED)
    assert flow.send([0, ttl, *HELD[2:6], position, 77]) == Await(pytest.approx(seconds))


def test_a_poller_does_not_sleep_past_the_end_of_the_lease():
    flow, _ = acquiring(news=News.POLLED)
    assert flow.send([0, 10, *HELD[2:]]) == Await(pytest.approx(0.012))


def test_a_sleep_ends_when_the_caller_gives_up():
    flow, _ = acquiring(wait=1.0, times=(0.0, 0.0, 0.9995), news=News.PUSHED)
    assert flow.send(HELD) == Await(pytest.approx(0.0005))


def test_a_lock_that_stays_held_is_busy_when_the_wait_is_over_and_leaves_the_queue():
    flow, _ = waiting(wait=1.0, times=(0.0, 0.0, 0.5, 0.9, 1.0))
    flow.send((News.PUSHED, 0))
    assert flow.send(HELD) == Settle(scripts.ABANDON, KEYS, ("tok", 0))
    with pytest.raises(LockBusy) as busy:
        flow.send(None)
    assert busy.value.retry_after == 5.0
    assert (busy.value.holder.pid, busy.value.holder.meta) == (7, {"job": 1})


def test_one_try_that_finds_the_lock_held_costs_one_round_trip():
    flow, _ = acquiring(wait=0.0)
    with pytest.raises(LockBusy):
        flow.send(TOLD)


def test_a_lock_that_is_free_but_not_ours_is_busy_without_a_holder():
    flow, _ = acquiring(wait=0.0)
    with pytest.raises(LockBusy) as busy:
        flow.send([0, -2, 0, 0, b"", b"", -1, 0])
    assert (busy.value.holder, busy.value.retry_after) == (None, 0.0)


def test_whoever_is_in_line_rides_out_a_short_outage_at_its_place():
    flow, _ = waiting(wait=None, times=(0.0, 0.0, 0.0, 5.0, 14.9))
    flow.send((News.PUSHED, 0))
    assert flow.throw(LockUnavailable()) == Await(0.05)
    assert flow.send((News.POLLED, 0)).args[4].split()[2] == "77"


@pytest.mark.parametrize(("wait", "now"), [(None, 21.0), (8.0, 8.0)])
def test_an_outage_longer_than_its_place_is_kept_or_its_wait_is_told(wait, now):
    flow, _ = waiting(wait=wait, times=(0.0, 0.0, 0.0, 5.0, now))
    flow.send((News.PUSHED, 0))
    assert flow.throw(LockUnavailable()) == Settle(scripts.ABANDON, KEYS, ("tok", 1))
    with pytest.raises(LockUnavailable):
        flow.send(None)


def trusting(*, now=0.0, **options):
    """The flow of a waiter who may begin before it has claimed, in line and asleep since 0.0."""
    flow = flows.acquire(
        attempt(30.0)._replace(terms=terms(**{"renew": True, **options})),
        clock=iter([0.0, 0.0, 0.0, now, now, now]).__next__,
        random=lambda: 0.5,
    )
    next(flow)
    flow.send(News.PUSHED)
    told = (HELD, 1) if options.get("durability") else HELD
    assert isinstance(flow.send(told), Await)
    return flow


def test_a_lock_handed_over_is_trusted_at_once_for_what_is_left_of_its_claim_time():
    grant = result(trusting(now=1.0), (News.PUSHED, 42))
    assert grant == Grant(42, deadline=pytest.approx(2.968), waited=1.0, claimed=False)


@pytest.mark.parametrize(
    ("fence", "options"),
    [
        pytest.param(0, {}, id="nothing was handed over"),
        pytest.param(41, {}, id="that was before the last call"),
        pytest.param(42, {"now": 2.7}, id="too little is left of its time"),
        pytest.param(42, {"lease": 3.0}, id="the lease is no longer than the claim time"),
        pytest.param(42, {"renew": False}, id="nobody would claim it"),
        pytest.param(42, {"durability": Durability.AOF}, id="the claim must be durable"),
    ],
)
def test_what_cannot_be_trusted_at_once_is_claimed_first(fence, options):
    assert isinstance(trusting(**options).send((News.PUSHED, fence)), Run)


def test_a_first_try_that_may_still_arrive_is_given_up_with_a_tombstone():
    flow, run = acquiring(wait=0)
    assert flow.throw(ConnectionBroken()) == run
    assert flow.send(TOLD) == Settle(scripts.ABANDON, KEYS, ("tok", 1))
    with pytest.raises(LockBusy):
        flow.send(None)


def test_a_full_queue_is_told_with_its_limit():
    flow, _ = acquiring(news=News.PUSHED)
    with pytest.raises(LockQueueFull) as full:
        flow.send([-1])
    assert full.value.limit == 100


def test_a_wait_without_end_goes_on():
    flow, run = acquiring(wait=None, times=count(step=1_000_000.0), news=News.PUSHED)
    assert run.until is None
    for _ in range(3):
        assert isinstance(flow.send(HELD), Await)
        assert isinstance(flow.send((News.PUSHED, 0)), Run)


@pytest.mark.parametrize(
    ("wait", "now", "until"),
    [
        (None, 0.0, None),
        (0.0, 0.0, None),
        (5.0, 0.0, 4.9),
        (5.0, 4.95, 5.05),
        (5.0, 6.0, 6.1),
        (0.05, 0.0, 0.1),
    ],
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


def test_interrupted_before_it_joined_the_queue_it_has_nothing_to_undo():
    flow, _ = acquiring()
    flow.send(TOLD)
    with pytest.raises(KeyboardInterrupt):
        flow.throw(KeyboardInterrupt())


def test_an_interrupted_sleep_leaves_the_queue():
    flow, _ = waiting()
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


def test_releasing_goes_on_while_dead_waiters_are_to_be_skipped():
    flow = flows.release(KEYS, "tok")
    run = next(flow)
    assert flow.send(5) == run
    assert result(flow, 2) is True


def test_a_release_may_ask_for_the_lock_to_stay_held_a_little():
    flow = flows.release(KEYS, "tok", at_least=1.5)
    assert next(flow).args == ("tok", 1500)


def test_a_release_interrupted_is_said_again():
    flow = flows.release(KEYS, "tok")
    next(flow)
    assert flow.throw(KeyboardInterrupt()) == Settle(scripts.RELEASE, KEYS, ("tok", 0))


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
