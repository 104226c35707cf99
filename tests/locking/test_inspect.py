"""What the store tells of a lock, asked of a real server without the library around it."""

import pytest

from locking import inspection, scripts
from locking.inspection import Cursor, Mode, Phase, Waiter
from locking.names import Kind, keys

FREE = [[], 0, [], [0, 0, 0]]


def inspect(store, most: int = 10):
    return store.eval(scripts.INSPECT.source, 4, *keys("lock", "n")[:4], most)


def micros(store) -> int:
    seconds, rest = store.time()
    return seconds * 1_000_000 + rest


def hold(store, **fields):
    at = micros(store) - 2_000_000
    mapping = {"tok": "a" * 32, "f": 7, "at": at, "who": 'chan h:1:2:u {"a": 1}', **fields}
    store.hset("lock:{n}:l", mapping=mapping)
    store.pexpire("lock:{n}:l", 30_000)


def test_nothing_is_known_of_a_lock_that_never_was(store):
    assert inspect(store) == FREE
    assert store.dbsize() == 0


def test_a_holder_is_told_without_its_token(store):
    hold(store)
    (fence, ttl, held_for, state, actor, meta), *_ = reply = inspect(store)
    assert (fence, state, actor, meta) == (7, b"held", b"h:1:2:u", b'{"a": 1}')
    assert 29_000 < ttl <= 30_000
    assert 2_000_000 <= held_for < 3_000_000
    assert "a" * 32 not in str(reply)


@pytest.mark.parametrize(
    ("fields", "state"),
    [({"st": "granted"}, b"granted"), ({"tok": "-"}, b"cooling"), ({}, b"held")],
    ids=str,
)
def test_each_state_has_a_word(store, fields, state):
    hold(store, **fields)
    assert inspect(store)[0][3] == state


def test_the_line_is_told_in_order_and_up_to_a_limit(store):
    now = micros(store)
    for place in range(4):
        token = str(place) * 32
        store.zadd("lock:{n}:q", {token: now - 4_000_000 + place})
        store.hset("lock:{n}:w", token, f"{now + 9e6:.0f} 0 lock:c:cafe w{place}:3:4:u {{}}")
    _, waiting, line, _ = inspect(store, 2)
    assert (waiting, [who for _, who in line]) == (4, [b"w0:3:4:u", b"w1:3:4:u"])
    assert all(4_000_000 <= waited < 5_000_000 for waited, _ in line)
    assert inspect(store, 0)[1:3] == [4, []]


@pytest.mark.parametrize("record", ["1 0 - w:3:4:u {}", "", None, "nonsense"], ids=str)
def test_a_waiter_that_is_dead_is_not_told_of(store, record):
    store.zadd("lock:{n}:q", {"b" * 32: 1})
    if record is not None:
        store.hset("lock:{n}:w", "b" * 32, record)
    assert inspect(store)[1:3] == [1, []]


def test_counters_are_told(store):
    store.hset("lock:{n}:s", mapping={"n": 5, "c": 3, "v": 1})
    assert inspect(store)[3] == [5, 3, 1]


def test_a_reply_becomes_a_value():
    held = [7, 1500, 2_000_000, b"granted", b"h:1:2:u", b'{"a": 1}']
    seen = inspection.status(
        "n", Kind.LOCK, [held, 2, [[3_000_000, b"w:5:6:v"], [-4, b"x:5:6"]], [5, 3, 1]]
    )
    assert (seen.phase, seen.expires_in, seen.waiting) == (Phase.GRANTED, 1.5, 2)
    assert (seen.holder.fence, seen.holder.held_for) == (7, 2.0)
    assert seen.waiters == (
        Waiter(position=1, waited=3.0, host="w", pid=5),
        Waiter(position=2, waited=0.0, host="x", pid=5),
    )
    assert (seen.grants, seen.contended, seen.forced) == (5, 3, 1)


def test_a_lease_that_ends_while_one_looks_expires_now():
    held = [7, -2, 2, b"held", b"h:1:2:u", b""]
    assert inspection.status("n", Kind.LOCK, [held, 0, [], [1, 0, 0]]).expires_in == 0


@pytest.mark.parametrize(
    ("kind", "share", "mode"),
    [
        (Kind.RW, [1, 2**31], Mode.READ),
        (Kind.RW, [2**31, 2**31], Mode.WRITE),
        (Kind.SEMAPHORE, [1, 3], Mode.PERMIT),
        (Kind.SEMAPHORE, [1, 1], Mode.PERMIT),
    ],
)
def test_a_share_becomes_a_value(kind, share, mode):
    held = [7, 1500, 2_000_000, b"held", b"h:1:2:u", b"", *share]
    seen = inspection.status("n", kind, [3, [held], 1, [[5, b"w:5:6:v", 1]], [1, 0, 0]])
    assert (seen.held, seen.hold.mode, seen.waiting) == (3, mode, 1)
    assert seen.waiters[0].pid == 5


@pytest.mark.parametrize("cursor", [Cursor(), Cursor(2**50, 3)])
def test_a_cursor_survives_being_written(cursor):
    assert Cursor.parse(str(cursor)) == cursor
