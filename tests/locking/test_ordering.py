import logging

import pytest

from locking import LockBusy, lock, ordering


@pytest.fixture(autouse=True)
def nothing_seen_yet():
    ordering._seen.cache_clear()


@pytest.fixture
def warned(caplog):
    caplog.set_level(logging.WARNING, "locking.ordering")
    return lambda: [record.args for record in caplog.records]


def test_both_orders_of_two_kinds_of_locks_are_warned_of_once(warned):
    ordering.note(["invoice:7"], "user:3")
    ordering.note(["invoice:8"], "user:4")
    assert not warned()
    ordering.note(["user:5"], "invoice:9")
    ordering.note(["user:6"], "invoice:10")
    ordering.note(["invoice:7"], "user:3")
    assert warned() == [("invoice:9", "user:5")]


def test_locks_of_one_kind_are_told_apart_by_their_names(warned):
    ordering.note(["account:1"], "account:2")
    ordering.note(["account:3"], "account:1")
    assert not warned()
    ordering.note(["account:2"], "account:1")
    assert warned() == [("account:1", "account:2")]


def test_each_lock_held_counts(warned):
    ordering.note(["a", "b"], "c")
    ordering.note(["c"], "a")
    ordering.note(["c"], "b")
    assert warned() == [("a", "c"), ("b", "c")]


def test_a_lock_has_no_order_with_itself(warned):
    ordering.note(["a"], "a")
    ordering.note(["a"], "a")
    assert not warned()
    assert ordering._seen.cache_info().currsize == 0


def test_kinds_in_both_orders_but_by_rising_names_are_safe(warned):
    ordering.note(["user:1"], "user:1:cart")
    ordering.note(["user:1:cart"], "user:2")
    assert not warned()
    ordering.note(["user:2:cart"], "user:2")
    ordering.note(["user:3:cart"], "user:3")
    assert warned() == [("user:2", "user:2:cart")]


def test_the_memory_is_bounded():
    for number in range(ordering.MOST_PAIRS + 10):
        ordering.note([f"account:{number}"], f"account:{number + 1}")
    assert ordering._seen.cache_info().currsize == ordering.MOST_PAIRS


def take(held: str, wanted: str, **options) -> None:
    with lock(held), lock(wanted, **options):
        pass


def test_locks_waited_for_while_others_are_held_are_recorded(warned):
    take("a", "b")
    take("b", "a")
    assert warned() == [("a", "b")]


def test_locks_tried_once_or_taken_alone_are_not(warned):
    take("a", "b", wait=0)
    take("b", "a")
    with lock("a"):
        pass
    with lock("b"):
        pass
    with lock("b"), pytest.raises(LockBusy):
        lock("b", wait=0).acquire()
    assert not warned()


def test_a_lock_entered_again_is_not(warned):
    take("a", "b")
    with lock("a", reentrant=True), lock("b"), lock("a", reentrant=True):
        pass
    assert not warned()
