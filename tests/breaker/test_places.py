"""What the races of test_bulkhead meet by chance, made to happen."""

import asyncio

from breaker.places import Places, TaskWaiter, ThreadWaiter


def test_who_decides_first_decides() -> None:
    waiter = ThreadWaiter()
    assert waiter.admit()
    assert not waiter.admit()
    assert not waiter.decide(), "it has a place, so it cannot go away without it"


def test_a_waiter_that_has_gone_is_passed_over() -> None:
    places = Places(1)
    gone, next_ = ThreadWaiter(), ThreadWaiter()
    assert places.take()
    places.join(gone)
    places.join(next_)
    assert gone.decide()
    places.give_back()
    assert not next_.decide()
    assert (places.taken, places.waiting) == (1, 0)


def test_who_joins_when_a_place_has_become_free_gets_it() -> None:
    places = Places(1)
    waiter = ThreadWaiter()
    places.join(waiter)
    assert not waiter.decide()
    assert (places.taken, places.waiting) == (1, 0)


def test_nobody_takes_a_place_past_the_line() -> None:
    places = Places(1)
    places._line.append(ThreadWaiter())  # has come, but has not yet looked
    assert not places.take()
    assert places.taken == 0


def test_one_that_goes_from_a_line_it_is_no_longer_in_has_gone() -> None:
    places = Places(1)
    waiter = ThreadWaiter()
    assert places.leave(waiter)
    assert not places.leave(waiter)


def test_a_place_for_nobody_stays_free() -> None:
    places = Places(1)
    assert not places._admit_first()
    assert places.take()


def test_a_loop_that_has_ended_admits_nobody_and_may_still_be_left() -> None:
    async def wait() -> TaskWaiter:
        return TaskWaiter()

    waiter = asyncio.run(wait())
    assert not waiter.admit()
    assert waiter.decide()
