import pytest

from locking import LockInvalid, LockUnavailable, control, lock, rw_lock, semaphore
from locking.control import Overview
from locking.inspection import Phase
from locking.names import Kind
from tests.locking.conftest import Use
from tests.rounds import can_within


def enrol(store, name: str, token: str, *, ticket: float, due: float | None = None) -> None:
    """A waiter as the store keeps it, one that asks by itself."""
    store.zadd(f"lock:{{{name}}}:q", {token: ticket})
    record = f"{(due or ticket + 60e6):.0f} 0 - web:7:8:cafe.1 {{}}"
    store.hset(f"lock:{{{name}}}:w", token, record)


def micros(store) -> int:
    seconds, rest = store.time()
    return seconds * 1_000_000 + rest


def test_nothing_held_is_an_empty_overview():
    assert control.overview() == Overview(held=0, waiting=0, oldest_hold=None)


def test_an_overview_counts_holders_and_waiters_by_pattern(store):
    first, _ = lock("render:1").acquire(), lock("render:2").acquire()
    lock("import").acquire()
    store.zadd("lock:{render:1}:q", {"t1": 1, "t2": 2})
    seen = control.overview()
    assert (seen.held, seen.waiting, seen.partial) == (3, 2, False)
    assert 0 < seen.oldest_hold < 5
    assert [(one.pattern, one.held, one.waiting) for one in seen.patterns] == [
        ("import", 1, 0),
        ("render:*", 2, 2),
    ]
    first.release()
    assert control.overview().held == 2


def test_an_overview_of_very_many_locks_looks_at_some_and_says_so(store):
    lock("a").acquire()
    soon = micros(store) + 60_000_000
    store.zadd("lock:idx", {f"lock:{{job:{n}}}:l": soon for n in range(100_000)})
    seen = control.overview()
    assert (seen.held, seen.partial) == (100_001, True)
    assert can_within(1, control.overview)


def test_held_locks_are_listed_with_their_holders_the_next_to_end_first():
    lock("b", lease=60).acquire()
    lease = lock("wei{rd} näme", lease=30, meta={"job": 1}).acquire()
    rows = control.held().rows
    assert [row.name for row in rows] == ["wei{rd} näme", "b"]
    assert (rows[0].holder.fence, rows[0].holder.meta) == (lease.fence, {"job": 1})
    assert rows[0].phase is Phase.HELD
    assert 29 < rows[0].expires_in <= 30


def test_pages_follow_each_other_and_none_is_left_out(store):
    for n in range(5):
        lock(f"n{n}", lease=30 + n).acquire()
    # As many as two pages end in the very same microsecond.
    store.zadd("lock:idx", dict.fromkeys((f"lock:{{n{n}}}:l" for n in range(4)), 2**51))
    seen, cursor = [], None
    for _ in range(5):
        page = control.held(cursor=cursor, limit=1)
        seen += [row.name for row in page.rows]
        cursor = page.following
    assert sorted(seen) == ["n0", "n1", "n2", "n3", "n4"]
    assert cursor is None
    assert control.held(limit=5).following is None


def test_pages_can_be_of_some_names_only():
    for name in ("a:1", "other", "a:2", "b:1"):
        lock(name).acquire()
    assert {row.name for row in control.held(prefix="a:").rows} == {"a:1", "a:2"}
    assert {row.name for row in control.held(without=("a:1", "b:")).rows} == {"other", "a:2"}


@pytest.mark.parametrize("cursor", ["x", "1", "1-2-3", "-1-0", "f" * 99 + "-0", "1 OR 1-1"])
def test_a_made_up_cursor_is_invalid(cursor):
    with pytest.raises(LockInvalid):
        control.held(cursor=cursor)


@pytest.mark.parametrize("limit", [-1, 0, 201])
def test_a_page_of_a_size_that_cannot_be_is_invalid(limit):
    with pytest.raises(LockInvalid, match="limit"):
        control.held(limit=limit)


def test_a_lock_that_ran_out_or_vanished_is_not_listed(store):
    for name in ("out", "gone", "held"):
        lock(name).acquire()
    store.zadd("lock:idx", {"lock:{out}:l": 1})
    store.delete("lock:{gone}:l")
    assert [row.name for row in control.held().rows] == ["held"]
    assert store.zscore("lock:idx", "lock:{out}:l") is None


def test_a_foreign_key_under_our_name_does_not_hide_the_others(store):
    lock("held").acquire()
    store.set("lock:{odd}:l", "not a lock")
    store.zadd("lock:idx", {"lock:{odd}:l": 2**51})
    assert [row.name for row in control.held().rows] == ["held"]
    with pytest.raises(LockUnavailable):
        control.detail("odd")


def test_a_lock_is_told_with_its_line_and_its_past(store):
    lock("render").acquire().release()
    lock("render", meta={"job": 1}).acquire()
    now = micros(store)
    enrol(store, "render", "d" * 32, ticket=now - 9e6, due=now - 1)
    enrol(store, "render", "e" * 32, ticket=now - 3e6)
    enrol(store, "render", "f" * 32, ticket=now - 2e6)
    seen = control.detail("render")
    assert (seen.holder.meta, seen.waiting) == ({"job": 1}, 3)
    assert [(one.position, one.host, one.pid) for one in seen.waiters] == [
        (1, "web", 7),
        (2, "web", 7),
    ]
    assert 3 <= seen.waiters[0].waited < 4
    assert (seen.grants, seen.forced) == (2, 0)
    assert "f" * 32 not in repr(seen)


def test_shares_are_listed_with_those_who_hold_them():
    rows = rw_lock("table")
    one, _other = rows.read.acquire(), rows.read.acquire()
    semaphore("pool", 2, lease=60).acquire()
    table, pool = control.held().rows
    assert (table.name, table.kind, table.held) == ("table", Kind.RW, 2)
    assert [hold.mode for hold in table.holds] == ["read", "read"]
    assert table.holder.fence == one.fence
    assert (pool.name, pool.kind, pool.hold.mode) == ("pool", Kind.SEMAPHORE, "permit")
    assert control.detail("table").phase is Phase.FREE
    assert control.detail("table", kind=Kind.RW).held == 2
    assert control.overview().held == 2


def test_a_free_lock_can_be_looked_at_too():
    seen = control.detail("never")
    assert (seen.phase, seen.holder, seen.expires_in) == (Phase.FREE, None, None)
    assert (seen.waiting, seen.waiters, seen.grants) == (0, (), 0)


def test_a_lock_that_cools_down_says_so(store):
    lock("cool").acquire()
    store.hset("lock:{cool}:l", "tok", "-")
    assert control.detail("cool").phase is Phase.COOLING


def test_a_probe_leaves_nothing_held():
    control.probe()
    control.probe()
    assert control.overview().held == 0


def test_a_probe_that_meets_another_one_is_content():
    with lock(control.PROBE):
        control.probe()


@pytest.mark.parametrize(
    "ask", [control.probe, control.overview, control.held, lambda: control.detail("a")]
)
def test_a_store_that_is_down_is_unavailable(own_valkey, use: Use, ask):
    use(own_valkey.url)
    own_valkey.stop()
    with pytest.raises(LockUnavailable):
        ask()
