"""The walk over who waits for whom: against brute force, by hand, and in real processes."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locking import LockDeadlock, LockUnavailable, deadlock, flows, lock, names, scripts
from locking.attempts import Attempt
from locking.deadlock import Hold, Link, Lookout, Wait, gives_way, way_back
from locking.steps import Await, News, Run, Settle
from tests.locking.terms import terms


class Fleet:
    """Who waits for which lock, and who holds it, as values.

    ``waiting``: unit → lock. ``holding``: lock → units. Tickets rise with the unit's number.
    """

    def __init__(self, waiting: dict[int, int], holding: dict[int, set[int]]) -> None:
        self.holding = holding
        self.waits = {
            str(unit): Wait(f"lock {lock}", unit, f"token{unit}", self.fences(unit))
            for unit, lock in waiting.items()
        }

    def fences(self, unit: int) -> tuple[int, ...]:
        return tuple(lock for lock, units in self.holding.items() if unit in units)

    def holders(self, wait: Wait):
        yield from ()
        lock = int(wait.key.split()[1])
        return [Hold(lock, str(unit)) for unit in sorted(self.holding.get(lock, ()))]

    def wait(self, unit: str):
        yield from ()
        return self.waits.get(unit)

    def waits_for(self, unit: str) -> set[str]:
        wait = self.waits.get(unit)
        return {hold.unit for hold in run(self.holders(wait))} if wait else set()

    def way(self, unit: str):
        return run(way_back(self.waits[unit], unit, self))

    def victims(self) -> set[str]:
        ways = {unit: self.way(unit) for unit in self.waits}
        return {unit for unit, way in ways.items() if way and gives_way(way)}


def run(flow):
    with pytest.raises(StopIteration) as end:
        next(flow)
    return end.value.value


def stuck(fleet: Fleet) -> set[str]:
    """Units from which some way leads back to them, by trying every way."""
    reach = {unit: fleet.waits_for(unit) for unit in fleet.waits}
    for _ in fleet.waits:
        reach = {
            unit: direct.union(*(reach.get(other, set()) for other in direct))
            for unit, direct in reach.items()
        }
    return {unit for unit, others in reach.items() if unit in others}


UNITS, LOCKS = st.integers(0, 9), st.integers(0, 9)
exclusive = st.builds(
    Fleet,
    st.dictionaries(UNITS, LOCKS),
    st.dictionaries(LOCKS, UNITS.map(lambda unit: {unit})),
)
shared = st.builds(
    Fleet, st.dictionaries(UNITS, LOCKS), st.dictionaries(LOCKS, st.sets(UNITS, max_size=4))
)


@settings(max_examples=200)
@given(shared)
def test_a_way_back_is_found_by_those_who_are_stuck_and_by_nobody_else(fleet):
    assert {unit for unit in fleet.waits if fleet.way(unit)} == stuck(fleet)


@settings(max_examples=200)
@given(shared)
def test_a_way_back_is_one_of_waits_each_held_up_by_the_next(fleet):
    for unit in stuck(fleet):
        way = fleet.way(unit)
        assert way[0].wait == fleet.waits[unit]
        for link, following in zip(way, (*way[1:], way[0]), strict=True):
            assert link.fence in following.wait.fences
            assert link.wait.key == f"lock {link.fence}"


@settings(max_examples=200)
@given(exclusive)
def test_of_each_circle_of_exclusive_locks_the_youngest_and_no_other_gives_way(fleet):
    circles = {frozenset(link.wait.token for link in fleet.way(unit)) for unit in stuck(fleet)}
    youngest = {max(circle, key=lambda token: int(token[5:])) for circle in circles}
    assert {f"token{unit}" for unit in fleet.victims()} == youngest


@settings(max_examples=200)
@given(shared)
def test_where_some_are_stuck_somebody_stuck_gives_way_until_nobody_is(fleet):
    while stuck(fleet):
        victims = fleet.victims()
        assert victims
        assert victims <= stuck(fleet)
        for victim in victims:
            del fleet.waits[victim]
            for units in fleet.holding.values():
                units.discard(int(victim))
    assert not fleet.victims()


def test_who_waits_for_itself_is_stuck():
    assert Fleet({1: 7}, {7: {1}}).victims() == {"1"}


def test_a_lease_that_its_taker_has_not_at_hand_holds_nobody_up():
    fleet = Fleet({1: 5, 2: 6}, {5: {2}, 6: {1}})
    fleet.waits["1"] = fleet.waits["1"]._replace(fences=(99,))
    assert not fleet.way("1")
    assert not fleet.way("2")


def test_a_writer_waits_for_every_reader():
    fleet = Fleet({1: 5, 2: 6}, {5: {2, 3, 4}, 6: {1}})
    assert fleet.way("1") == (Link(fleet.waits["1"], 5), Link(fleet.waits["2"], 6))
    assert fleet.victims() == {"2"}


def test_nobody_is_asked_twice_on_one_walk():
    asked = []

    class Curious(Fleet):
        def wait(self, unit: str):
            asked.append(unit)
            return super().wait(unit)

    everybody = {1, 2, 3, 4}
    Curious({1: 5, 2: 6, 3: 7, 4: 8}, {5: {2, 3, 4}, 6: everybody - {1}, 7: {2, 4}}).way("1")
    assert sorted(asked) == ["2", "3", "4"]


def test_equal_tickets_are_told_apart_by_their_tokens():
    a, b = (Wait("k", 5, token, (1,)) for token in "ab")
    assert not gives_way((Link(a, 1), Link(b, 1)))
    assert gives_way((Link(b, 1), Link(a, 1)))


@pytest.mark.parametrize(("others", "found"), [(64, True), (65, False)])
def test_a_way_is_followed_over_so_many_others_and_no_further(others, found):
    ring = Fleet(
        {unit: unit for unit in range(others + 1)},
        {unit: {(unit + 1) % (others + 1)} for unit in range(others + 1)},
    )
    assert bool(ring.way("0")) is found


def test_what_is_told_of_a_wait_can_be_read():
    wait = Wait("lock:{a b c}:l", 17, "f" * 32, (3, 5))
    assert deadlock.parse(wait.text) == wait


ME, OTHER = b"host:1:1:me", b"host:2:2:other"
MINE, ITS = "lock:{mine}:l", "lock:{its}:l"
FENCE = 2**52 + 1


class Store:
    """Answers a vigil: the caller waits with ticket 9 for ``its``, the other for ``mine``."""

    def __init__(self, *, ticket: int = 5) -> None:
        self.replies = {
            ITS: [9, 77, OTHER],
            "lock:{x}:l": [5],
            MINE: [ticket, FENCE, ME],
            "lock:wf:other": f"{MINE} {ticket} {'f' * 32} 77".encode(),
        }
        self.runs: list[Run] = []

    def reply(self, run: Run):
        self.runs.append(run)
        return self.replies.get(run.keys[0], b"")

    def keep(self, vigil: Lookout, *, changed: dict | None = None, after: int = 0) -> float:
        """``changed`` replies from the ``after``-th call on."""
        flow = vigil.keep(ATTEMPT, 9, None)
        try:
            run = next(flow)
            while True:
                if changed and len(self.runs) == after:
                    self.replies |= changed
                run = flow.send(self.reply(run))
        except StopIteration as end:
            return end.value


ATTEMPT = Attempt(
    name="its", keys=(ITS, "q", "w", "s", "idx"), token="e" * 32, terms=terms(), wait=None,
    channel="c", actor=ME.decode(),
)  # fmt: skip


@pytest.fixture
def held():
    with lock("mine", floor=FENCE - 1):
        yield


def vigil(*times: float) -> Lookout:
    ticks = iter(times)
    return Lookout("lock", clock=lambda: next(ticks), random=lambda: 0.5)


def test_a_short_wait_pays_nothing(held):
    store = Store()
    assert store.keep(vigil(0.0, 0.1, 0.1)) == pytest.approx(0.4)
    assert not store.runs


def test_a_long_wait_is_told_to_others_and_walked_along_twice(held):
    store = Store()
    with pytest.raises(LockDeadlock) as caught:
        store.keep(vigil(0.0, 0.5))
    assert caught.value.cycle == ("its", "mine")
    assert str(caught.value) == (
        "Deadlock: “its” → “mine” → “its”, each held by one who waits for the next."
    )
    told, *walks = store.runs
    assert (told.script, told.keys) == (scripts.WAIT_FOR, ("lock:wf:me",))
    assert told.args == (f"{ITS} 9 {'e' * 32} {FENCE}", 5000)
    assert [run.keys[0] for run in walks] == [ITS, "lock:wf:other", MINE] * 2


def test_the_older_one_leaves_it_to_the_younger_and_looks_again(held):
    store = Store(ticket=10)
    assert store.keep(vigil(0.0, 0.5, 0.6, 0.6)) == pytest.approx(0.95)
    assert len(store.runs) == 4


NOT_ANY_MORE = {
    "it was granted the lock to another": {ITS: [9, 78, OTHER]},
    "it released the lock": {ITS: [9]},
    "the caller was granted the lock": {ITS: [0]},
    "it gave up waiting": {MINE: [0]},
    "it waits anew": {MINE: [6, FENCE, ME]},
    "it waits for something else": {"lock:wf:other": b"lock:{x}:l 5 f 77"},
    "its record is gone": {"lock:wf:other": b""},
    "it handed on its lease": {"lock:wf:other": f"{MINE} 5 {'f' * 32} 79".encode()},
    "the caller lost its lease": {MINE: [5, 1, OTHER]},
}


@pytest.mark.parametrize("changed", NOT_ANY_MORE.values(), ids=NOT_ANY_MORE)
@pytest.mark.parametrize("after", range(1, 7))
def test_what_changes_during_the_walk_is_no_deadlock(held, changed, after):
    store = Store()
    try:
        assert store.keep(vigil(0.0, 0.5, 0.5, 0.5), changed=changed, after=after) > 0
    except LockDeadlock:
        # Seen by neither walk: it came after the look that would have shown it.
        assert not any(run.keys[0] in changed for run in store.runs[after:])


def test_who_lost_all_its_leases_waits_for_nobody():
    store = Store()
    assert store.keep(vigil(0.0, 0.5, 0.5, 0.5)) == pytest.approx(0.95)
    assert not store.runs


def test_an_outage_is_left_to_whoever_asks_for_the_lock(held):
    flow = vigil(0.0, 0.5, 0.5, 0.5).keep(ATTEMPT, 9, None)
    next(flow)
    with pytest.raises(StopIteration) as end:
        flow.throw(LockUnavailable())
    assert end.value.value == pytest.approx(0.95)


def test_a_waiter_that_holds_something_sleeps_no_longer_than_to_its_next_look(held):
    flow = flows.acquire(ATTEMPT, clock=lambda: 0.0, random=lambda: 0.5, vigil=vigil(0.0, 0.0, 0.0))
    next(flow)
    assert isinstance(flow.send(News.PUSHED), Run)
    assert flow.send([0, 60_000, 41, 0, OTHER, b"", 0, 9]) == Await(0.5)


def test_interrupted_when_all_but_granted_it_gives_the_lock_back(held):
    forget = Settle(scripts.WAIT_FOR, ("lock:wf:me",), ("", 0), deadlock.LAST_WORD)
    flow = flows.acquire(
        ATTEMPT, clock=lambda: 0.0, random=lambda: 0.5, vigil=vigil(0.0, 0.5, 0.5, 0.5)
    )
    next(flow)
    busy = [0, 60_000, 41, 0, OTHER, b"", 0, 9]
    for reply in (News.PUSHED, busy, b"", [0], (News.PUSHED, 0)):
        flow.send(reply)
    assert flow.send(42) == forget
    assert flow.throw(KeyboardInterrupt()) == Settle(
        scripts.ABANDON, ATTEMPT.keys, (ATTEMPT.token, 1)
    )
    assert flow.send(None) == forget
    with pytest.raises(KeyboardInterrupt):
        flow.send(None)


KEYS = names.keys("lock", "n")


@pytest.fixture
def run_script(store):
    return lambda script, *args: store.eval(script.source, len(KEYS), *KEYS, *args)


@pytest.fixture
def holders(run_script):
    return lambda token: run_script(scripts.HOLDERS, token)


@pytest.fixture
def ask(run_script):
    def ask(token: str, *, enrol: int = 0, channel: str = "c", life: int = 15_000) -> Any:
        line = f"{enrol} {life} 0 1 100"
        return run_script(scripts.ACQUIRE, token, 30_000, 0, f"{channel} host:1:2:{token} ", line)

    return ask


def test_a_waiter_waits_for_the_holder(ask, holders):
    fence = ask("a" * 32)
    ticket = ask("b" * 32, enrol=2)[7]
    assert holders("b" * 32) == [ticket, fence, f"host:1:2:{'a' * 32}".encode()]


def test_who_does_not_wait_is_held_up_by_nobody(ask, holders):
    ask("a" * 32)
    ask("b" * 32)
    assert holders("a" * 32) == holders("b" * 32) == [0]


def test_a_waiter_whose_process_does_not_listen_any_more_waits_for_nobody(ask, holders, store):
    ask("a" * 32)
    ask("b" * 32, enrol=1)
    assert holders("b" * 32) == [0]
    with store.pubsub() as pubsub:
        pubsub.subscribe("c")
        pubsub.get_message(timeout=1)
        assert len(holders("b" * 32)) == 3


@pytest.mark.race
def test_a_waiter_that_has_not_asked_for_too_long_waits_for_nobody(ask, holders):
    ask("a" * 32)
    ask("b" * 32, enrol=2, life=10)
    ask("c" * 32, enrol=2)
    time.sleep(0.02)
    assert holders("b" * 32) == [0]
    assert len(holders("c" * 32)) == 3


def test_a_lock_that_cools_down_has_no_holder(ask, holders, run_script):
    ask("a" * 32)
    ticket = ask("b" * 32, enrol=2)[7]
    run_script(scripts.RELEASE, "a" * 32, 60_000)
    assert holders("b" * 32) == [ticket]
