"""Who reads, for all that may happen to a connection."""

import pytest

from locking.turns import LINGER, LONGEST, Turns


class Place:
    def __init__(self) -> None:
        self.woken = False
        self.rung = 0

    def ring(self) -> None:
        self.rung += 1


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def first(turns: Turns) -> Place:
    """It reads."""
    place = Place()
    turns.claim(place)
    turns.give_way()
    assert turns.claim(place)
    return place


def test_the_owner_reads_until_it_gives_way_to_who_came_first(turns):
    one, other = Place(), Place()
    assert not turns.claim(one)
    assert not turns.claim(other)
    assert turns.look() == 0
    turns.give_way()
    assert (one.rung, other.rung) == (1, 0)
    assert turns.claim(one)
    assert not turns.claim(other)
    assert turns.look() == LONGEST


def test_the_owner_goes_on_when_nobody_else_would_read(turns):
    turns.give_way()
    assert turns.look() == 0
    assert not turns.claim(Place())


def test_the_owner_is_asked_once_to_give_way(turns, first):
    assert not turns.ask()
    turns.leave(first, linger=False)
    assert turns.look() == 0
    assert turns.ask()
    assert not turns.ask()
    turns.give_way()
    assert turns.ask()


def test_who_leaves_is_followed_by_who_waits_for_its_turn(turns, first):
    second = Place()
    assert not turns.claim(second)
    assert not turns.leave(first, linger=False)
    assert second.rung == 1
    assert turns.claim(second)


def test_who_has_its_news_already_is_not_given_a_turn(turns, first):
    served, waiting = Place(), Place()
    turns.claim(served)
    turns.claim(waiting)
    served.woken = True
    turns.leave(first, linger=False)
    assert turns.claim(waiting)
    assert (served.rung, waiting.rung) == (0, 1)


def test_who_was_given_a_turn_and_leaves_without_it_passes_it_on(turns, first):
    late, patient = Place(), Place()
    turns.claim(late)
    turns.claim(patient)
    turns.leave(first, linger=False)
    turns.leave(late, linger=False)
    assert patient.rung == 1
    assert turns.claim(patient)


def test_who_leaves_before_its_turn_is_given_none(turns, first):
    gone = Place()
    turns.claim(gone)
    assert not turns.leave(gone, linger=False)
    turns.leave(first, linger=False)
    assert gone.rung == 0


@pytest.mark.parametrize("asleep", [True, False])
def test_an_owner_that_sleeps_is_woken_when_nobody_reads_any_more(turns, first, asleep):
    if asleep:
        assert turns.look() == LONGEST
    assert turns.leave(first, linger=True) is asleep
    assert not turns.leave(first, linger=True)


def test_the_owner_lingers_before_it_reads_in_place_of_who_may_come_back_soon(turns, first):
    turns.leave(first, linger=True)
    assert turns.look() == LINGER
    again = Place()
    assert turns.claim(again)
    turns.leave(again, linger=True)
    assert turns.look() == LINGER
    assert turns.look() == 0
    assert not turns.claim(again)


def test_the_owner_does_not_linger_when_others_wait(turns, first):
    assert turns.leave(first, linger=False)
    assert turns.look() == 0


def test_an_owner_that_lingers_is_hurried_for_those_who_cannot_read(turns, first):
    assert not turns.hurry()
    turns.leave(first, linger=True)
    assert turns.hurry()
    assert turns.look() == 0
    assert not turns.hurry()


def test_what_ends_the_connection_is_left_to_the_owner(turns, first):
    turns.claim(Place())
    turns.fail(first)
    assert turns.look() == 0
    assert not turns.claim(first)
    turns.fail(first)
    assert turns.look() == 0
