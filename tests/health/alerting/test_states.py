from dataclasses import replace

import pytest

from health.alerting.states import (
    NEXT,
    REPEAT_SECONDS,
    REPORT_SECONDS,
    STALE_SECONDS,
    Fact,
    Labels,
    Record,
    State,
    Told,
    Word,
    claimable,
    forget_promises,
    hear,
    merge,
    owed,
    promise,
    step,
    tell,
)

LABELS = Labels(alert="ServiceCheckFailing", service="database")
NOW = 1_000_000.0
HEARD = {"mail": Told(Word.FIRING, NOW - 50)}
OVER = {"mail": Told(Word.RESOLVED, NOW - 10)}


def record(state: State, *, holds: bool = False, since: float = 0.0, **known: object) -> Record:
    reporters = {"web-1": NOW} if holds else {}
    found = Record(labels=LABELS, state=state, since=NOW - since, reporters=reporters)
    return replace(found, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(record(State.QUIET), State.QUIET, id="nothing holds"),
        pytest.param(record(State.QUIET, holds=True), State.PENDING, id="begins"),
        pytest.param(record(State.QUIET, told=HEARD), State.RESOLVED, id="quiet, unheard of"),
        pytest.param(record(State.PENDING, holds=True, since=59), State.PENDING, id="too early"),
        pytest.param(record(State.PENDING, holds=True, since=60), State.FIRING, id="held on"),
        pytest.param(record(State.PENDING, since=59), State.QUIET, id="a blip"),
        pytest.param(record(State.PENDING, since=5, told=HEARD), State.RESOLVED, id="over again"),
        pytest.param(record(State.FIRING, holds=True), State.FIRING, id="goes on"),
        pytest.param(record(State.FIRING), State.RESOLVED, id="over, untold"),
        pytest.param(record(State.FIRING, told=HEARD), State.RESOLVED, id="over"),
        pytest.param(
            record(State.RESOLVED, told=HEARD, resolved_at=NOW), State.RESOLVED, id="unheard"
        ),
        pytest.param(record(State.RESOLVED, told=OVER), State.QUIET, id="all have heard"),
        pytest.param(record(State.RESOLVED, holds=True), State.PENDING, id="comes back"),
        pytest.param(
            record(State.RESOLVED, told=HEARD, resolved_at=NOW - STALE_SECONDS - 1),
            State.QUIET,
            id="too late to say",
        ),
    ],
)
def test_where_an_alert_goes(before: Record, after: State) -> None:
    found = step(before, wait=60, now=NOW)
    assert found.state is after
    assert found.changed_at == (NOW if after is not before.state else before.changed_at)


@pytest.mark.parametrize("state", [State.QUIET, State.PENDING, State.RESOLVED])
def test_without_a_wait_it_fires_at_once(state: State) -> None:
    assert step(record(state, holds=True), wait=0, now=NOW).state is State.FIRING


def test_there_is_a_way_on_from_everywhere() -> None:
    assert {(state, fact) for state, row in NEXT.items() for fact in row} == {
        (state, fact) for state in State for fact in Fact
    }


def test_times_tell_when_it_began_fired_and_ended() -> None:
    pending = step(record(State.QUIET, holds=True), wait=60, now=NOW)
    firing = step(pending, wait=60, now=NOW + 60)
    over = step(replace(firing, reporters={}), wait=60, now=NOW + 100)
    assert (over.since, over.fired_at, over.resolved_at) == (NOW, NOW + 60, NOW + 100)


def test_a_return_before_anybody_heard_of_the_end_is_the_same_outage() -> None:
    before = record(State.PENDING, holds=True, since=60, fired_at=NOW - 500, told=HEARD)
    assert step(before, wait=60, now=NOW).fired_at == NOW - 500
    after_news = replace(before, told=OVER)
    assert step(after_news, wait=60, now=NOW).fired_at == NOW


def test_what_is_too_late_to_say_is_never_said() -> None:
    late = record(State.RESOLVED, told=HEARD, resolved_at=NOW - STALE_SECONDS - 1)
    quiet = step(late, wait=0, now=NOW)
    assert not quiet.known_to_fire
    assert step(quiet, wait=0, now=NOW) == quiet


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (record(State.QUIET), None),
        (record(State.PENDING, told=HEARD), None),
        (record(State.FIRING), Word.FIRING),
        (record(State.FIRING, told=HEARD), None),
        (record(State.FIRING, told=OVER), Word.FIRING),
        (record(State.FIRING, told={"mail": Told(Word.FIRING, NOW - 3600)}), Word.FIRING),
        (record(State.FIRING, told={"log": Told(Word.FIRING, NOW)}), Word.FIRING),
        (record(State.RESOLVED), None),
        (record(State.RESOLVED, told=HEARD), Word.RESOLVED),
        (record(State.RESOLVED, told=OVER), None),
    ],
    ids=[
        "quiet", "pending", "unheard", "heard", "fires again", "an hour ago", "another channel",
        "over, unheard", "over, to be told", "over, told",
    ],
)  # fmt: skip
def test_what_a_channel_is_owed(found: Record, word: Word | None) -> None:
    assert owed(found, "mail", remind=3600, now=NOW) is word


def test_nothing_is_owed_twice() -> None:
    firing = tell(record(State.FIRING), ["mail"], Word.FIRING, at=NOW)
    assert owed(firing, "mail", remind=3600, now=NOW + 1) is None
    over = tell(replace(firing, state=State.RESOLVED), ["mail"], Word.RESOLVED, at=NOW)
    assert owed(over, "mail", remind=3600, now=NOW + 9999) is None


def test_it_holds_as_long_as_one_node_says_so() -> None:
    both = hear(
        hear(record(State.QUIET), "a", reason="refused", now=NOW), "b", reason="dns", now=NOW
    )
    assert both.reporters == {"a": NOW, "b": NOW}
    one = hear(both, "a", reason=None, now=NOW + 1)
    assert one.reporters == {"b": NOW}
    assert hear(one, "b", reason=None, now=NOW + 2).reporters == {}


def test_a_node_that_fell_silent_has_no_say() -> None:
    gone = record(State.FIRING, reporters={"a": NOW})
    assert hear(gone, "b", reason=None, now=NOW + REPORT_SECONDS).reporters
    assert not hear(gone, "b", reason=None, now=NOW + REPORT_SECONDS + 1).reporters


def test_a_report_is_repeated_now_and_then_only() -> None:
    first = hear(record(State.QUIET), "a", reason="refused", now=NOW)
    assert hear(first, "a", reason="refused", now=NOW + REPEAT_SECONDS - 1) == first
    assert hear(first, "a", reason="refused", now=NOW + REPEAT_SECONDS).reporters["a"] > NOW
    # Nor does a clock that was set back make it last longer.
    assert hear(first, "a", reason="refused", now=NOW - 5).reporters == {"a": NOW - 5}


@pytest.mark.parametrize(
    ("claimed_by", "until", "free"),
    [("", 0.0, True), ("b", NOW - 1, True), ("b", NOW + 1, False), ("a", NOW + 1, True)],
    ids=["nobody's", "expired", "another's", "one's own"],
)
def test_one_node_speaks(claimed_by: str, until: float, free: bool) -> None:
    found = record(State.FIRING, claimed_by=claimed_by, claimed_until=until)
    assert claimable(found, "a", now=NOW) is free


def test_what_was_decided_alone_is_put_in() -> None:
    own = record(State.FIRING, holds=True, told=HEARD, changed_at=NOW)
    assert merge(own, None) == own
    shared = record(
        State.PENDING,
        changed_at=NOW - 5,
        reporters={"b": NOW},
        told={"log": Told(Word.FIRING, NOW), "mail": Told(Word.RESOLVED, NOW - 99)},
        claimed_by="b",
    )
    both = merge(own, shared)
    assert both.state is State.FIRING
    assert both.reporters == {"web-1": NOW, "b": NOW}
    assert both.told == {**HEARD, "log": Told(Word.FIRING, NOW)}
    assert both.claimed_by == "b"


def test_what_others_decided_later_holds() -> None:
    own = record(State.FIRING, told=HEARD, changed_at=NOW - 5)
    shared = record(State.QUIET, told=OVER, changed_at=NOW)
    assert merge(own, shared) == shared


def test_a_fingerprint_tells_what_is_another_alert() -> None:
    others = [
        replace(LABELS, alert="ServiceDegraded"),
        replace(LABELS, service="cache"),
        replace(LABELS, component="replica"),
        replace(LABELS, node="web-1"),
    ]
    assert len({one.fingerprint for one in [LABELS, *others]}) == 5
    assert replace(LABELS, severity="page").fingerprint == LABELS.fingerprint


def test_who_may_have_heard_it_hears_it_again_and_that_it_is_over() -> None:
    before = record(State.FIRING, holds=True, told=OVER | {"log": Told(Word.FIRING, NOW - 50)})
    promised = promise(before, ["mail", "log"], at=NOW)
    assert promised.told["log"].sure
    assert not promised.told["mail"].sure
    assert owed(promised, "mail", remind=3600, now=NOW + 1) is Word.FIRING
    assert owed(promised, "log", remind=3600, now=NOW + 1) is None
    over = step(replace(promised, reporters={}), wait=0, now=NOW + 2)
    assert owed(over, "mail", remind=3600, now=NOW + 3) is Word.RESOLVED
    assert forget_promises(promised).told == {"log": Told(Word.FIRING, NOW - 50)}


def test_what_was_said_is_known_better_than_that_it_was_to_be_said() -> None:
    promised = promise(record(State.FIRING, holds=True), ["mail"], at=NOW)
    told = tell(promised, ["mail"], Word.FIRING, at=NOW)
    assert merge(told, promised).told == merge(promised, told).told == told.told
