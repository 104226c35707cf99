import pytest

from locking import LockUnavailable, control, lock
from locking.control import Overview
from tests.locking.conftest import Use


def test_nothing_held_is_an_empty_overview():
    assert control.overview() == Overview(held=0, waiting=0, oldest_hold=None)


def test_an_overview_counts_holders_and_waiters(store):
    first, _ = lock("a").acquire(), lock("b").acquire()
    store.zadd("lock:{a}:q", {"t1": 1, "t2": 2})
    seen = control.overview()
    assert (seen.held, seen.waiting) == (2, 2)
    assert 0 < seen.oldest_hold < 5
    first.release()
    assert control.overview().held == 1


def test_held_locks_are_listed_with_their_holders_the_next_to_end_first():
    lock("b", lease=60).acquire()
    lease = lock("wei{rd} näme", lease=30, meta={"job": 1}).acquire()
    rows = control.held()
    assert [row.name for row in rows] == ["wei{rd} näme", "b"]
    assert (rows[0].holder.fence, rows[0].holder.meta) == (lease.fence, {"job": 1})
    assert 29 < rows[0].expires_in <= 30
    assert [row.name for row in control.held(limit=1)] == ["wei{rd} näme"]


def test_a_lock_that_ran_out_or_vanished_is_not_listed(store):
    for name in ("out", "gone", "held"):
        lock(name).acquire()
    store.zadd("lock:idx", {"lock:{out}:l": 1})
    store.delete("lock:{gone}:l")
    assert [row.name for row in control.held()] == ["held"]
    assert store.zscore("lock:idx", "lock:{out}:l") is None


def test_a_probe_leaves_nothing_held():
    control.probe()
    control.probe()
    assert control.overview().held == 0


def test_a_probe_that_meets_another_one_is_content():
    with lock(control.PROBE):
        control.probe()


@pytest.mark.parametrize("ask", [control.probe, control.overview, control.held])
def test_a_store_that_is_down_is_unavailable(own_valkey, use: Use, ask):
    use(own_valkey.url)
    own_valkey.stop()
    with pytest.raises(LockUnavailable):
        ask()
