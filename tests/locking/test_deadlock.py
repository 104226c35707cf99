"""The walk over who waits for whom: against brute force, by hand, and in real processes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locking import deadlock
from locking.deadlock import Hold, Link, Wait, gives_way, way_back


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


@settings(max_examples=500)
@given(shared)
def test_a_way_back_is_found_by_those_who_are_stuck_and_by_nobody_else(fleet):
    assert {unit for unit in fleet.waits if fleet.way(unit)} == stuck(fleet)


@settings(max_examples=500)
@given(shared)
def test_a_way_back_is_one_of_waits_each_held_up_by_the_next(fleet):
    for unit in stuck(fleet):
        way = fleet.way(unit)
        assert way[0].wait == fleet.waits[unit]
        for link, following in zip(way, (*way[1:], way[0]), strict=True):
            assert link.fence in following.wait.fences
            assert link.wait.key == f"lock {link.fence}"


@settings(max_examples=500)
@given(exclusive)
def test_of_each_circle_of_exclusive_locks_the_youngest_and_no_other_gives_way(fleet):
    circles = {frozenset(link.wait.token for link in fleet.way(unit)) for unit in stuck(fleet)}
    youngest = {max(circle, key=lambda token: int(token[5:])) for circle in circles}
    assert {f"token{unit}" for unit in fleet.victims()} == youngest


@settings(max_examples=500)
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
