"""What each script promises, asked of a real server without the library around it."""

import secrets
import time

import pytest
import redis

from locking import names, scripts
from locking.scripts import Script

KEYS = names.keys("lock", "n")
HOLDER, QUEUE, RECORDS, MEMORY, INDEX = KEYS


@pytest.fixture
def run(store):
    def run(script: Script, *args):
        return store.eval(script.source, len(KEYS), *KEYS, *args)

    return run


def token() -> str:
    return secrets.token_hex(16)


def acquire(run, tok, *, lease=30_000, enrol=0, life=15_000, meta="", floor=0):
    return run(scripts.ACQUIRE, tok, lease, enrol, life, "host:1:2", meta, floor)


def test_a_free_lock_is_granted_with_a_fence_of_the_servers_clock(run, store):
    before = time.time_ns() // 1000
    granted, fence = acquire(run, token())
    assert granted == 1
    assert before <= fence <= time.time_ns() // 1000
    assert 29_000 < store.pttl(HOLDER) <= 30_000


def test_asking_again_with_the_same_token_repeats_the_grant_with_its_full_time(run, store):
    tok = token()
    first = acquire(run, tok, lease=1000)
    assert acquire(run, tok, lease=30_000) == first
    assert store.pttl(HOLDER) > 29_000


def test_a_held_lock_tells_who_has_it(run):
    _, fence = acquire(run, token(), meta='{"job":1}')
    busy, ttl, held_fence, held_for, actor, meta = acquire(run, token())
    assert (busy, held_fence, actor, meta) == (0, fence, b"host:1:2", b'{"job":1}')
    assert 29_000 < ttl <= 30_000
    assert 0 <= held_for < 1_000_000


def test_fences_rise_with_every_grant_also_when_all_is_forgotten(run, store):
    fences = []
    for n in range(300):
        tok = token()
        fences.append(acquire(run, tok)[1])
        run(scripts.RELEASE, tok)
        if n == 150:
            store.flushall()
    assert fences == sorted(set(fences))


def test_fences_rise_when_the_clock_has_stepped_back(run, store):
    ahead = 2_000_000_000_000_000
    store.hset(MEMORY, "f", ahead)
    assert acquire(run, token())[1] == ahead + 1


def test_a_fence_is_higher_than_the_floor(run):
    floor = 2_000_000_000_000_000
    assert acquire(run, token(), floor=floor)[1] == floor + 1


def test_large_fences_keep_all_their_digits(run, store):
    fence = 9_007_199_254_740_000
    assert acquire(run, token(), floor=fence)[1] == fence + 1
    assert store.hget(HOLDER, "f") == store.hget(MEMORY, "f") == b"%d" % (fence + 1)


def test_only_the_holder_releases(run, store):
    tok = token()
    acquire(run, tok)
    assert run(scripts.RELEASE, token()) == 0
    assert run(scripts.RELEASE, tok) == 1
    assert not store.exists(HOLDER)
    assert store.zcard(INDEX) == 0


def test_releasing_again_is_recognised_among_the_last_eight(run):
    tokens = [token() for _ in range(9)]
    for tok in tokens:
        acquire(run, tok)
        run(scripts.RELEASE, tok)
    assert [run(scripts.RELEASE, tok) for tok in tokens] == [0] + [2] * 8


def test_extending_lengthens_and_never_shortens(run, store):
    tok = token()
    acquire(run, tok, lease=10_000)
    assert run(scripts.EXTEND, tok, 60_000) == 1
    assert run(scripts.EXTEND, tok, 5_000) == 1
    assert store.pttl(HOLDER) > 59_000
    assert store.zscore(INDEX, HOLDER) / 1e6 == pytest.approx(time.time() + 60, abs=1)


def test_extending_never_makes_a_lease_again(run, store):
    tok = token()
    acquire(run, tok)
    store.delete(HOLDER)
    assert run(scripts.EXTEND, tok, 60_000) == 0
    assert not store.exists(HOLDER)


def test_abandoning_frees_a_held_lock(run, store):
    tok = token()
    acquire(run, tok)
    run(scripts.ABANDON, tok, 1)
    assert not store.exists(HOLDER)
    assert store.zcard(INDEX) == 0


def test_abandoning_frees_nobody_elses_lock(run, store):
    tok = token()
    acquire(run, tok)
    run(scripts.ABANDON, token(), 1)
    assert store.hget(HOLDER, "tok") == tok.encode()


@pytest.mark.parametrize("farewell", [scripts.ABANDON, scripts.RELEASE], ids=lambda s: s.name)
def test_a_call_that_arrives_after_its_token_was_given_up_leaves_no_orphan(run, store, farewell):
    tok = token()
    if farewell is scripts.RELEASE:
        acquire(run, tok)
    run(farewell, tok, *([1] if farewell is scripts.ABANDON else []))
    with pytest.raises(redis.ResponseError, match="released or abandoned before"):
        acquire(run, tok)
    assert not store.exists(HOLDER)


def test_everything_kept_about_a_free_lock_expires(run, store):
    tok = token()
    acquire(run, tok)
    acquire(run, token(), enrol=1)
    run(scripts.RELEASE, tok)
    run(scripts.ABANDON, token(), 1)
    assert all(store.pttl(key) > 0 for key in store.keys("lock:{*"))


def test_memory_that_vanished_while_the_lock_was_held_does_not_stay_for_ever(run, store):
    tok = token()
    acquire(run, tok)
    store.delete(MEMORY)
    run(scripts.RELEASE, tok)
    assert store.pttl(MEMORY) > 0


def test_waiters_are_enrolled_once_and_leave_with_their_grant(run, store):
    holder, first, second = token(), token(), token()
    acquire(run, holder)
    for tok in (first, second, first):
        acquire(run, tok, enrol=1)
    assert store.zrange(QUEUE, 0, -1) == [first.encode(), second.encode()]
    run(scripts.RELEASE, holder)
    acquire(run, second, enrol=1)
    assert store.zrange(QUEUE, 0, -1) == store.hkeys(RECORDS) == [first.encode()]


def test_a_waiter_who_gives_up_leaves_the_queue(run, store):
    tok = token()
    acquire(run, token())
    acquire(run, tok, enrol=1)
    run(scripts.ABANDON, tok, 0)
    assert not store.exists(QUEUE, RECORDS)
    assert not store.hexists(MEMORY, "x")


@pytest.mark.race
def test_waiters_who_died_are_dropped_by_those_who_come_after(run, store):
    acquire(run, token())
    acquire(run, token(), enrol=1, life=20)
    alive = token()
    acquire(run, alive, enrol=1, life=5_000)
    time.sleep(0.03)
    late = token()
    acquire(run, late, enrol=1)
    assert store.zrange(QUEUE, 0, -1) == [alive.encode(), late.encode()]
    assert store.hlen(RECORDS) == 2


def test_inspecting_tells_all_but_the_token(run):
    tok = token()
    assert run(scripts.INSPECT) is None
    _, fence = acquire(run, tok, meta="{}")
    acquire(run, token(), enrol=1)
    found_fence, ttl, held_for, waiting, actor, meta = run(scripts.INSPECT)
    assert (found_fence, waiting, actor, meta) == (fence, 1, b"host:1:2", b"{}")
    assert ttl > 0 <= held_for


def test_without_the_index_all_keys_of_a_call_lie_in_one_slot(store):
    tok = token()
    own = KEYS[:4]
    assert store.eval(scripts.ACQUIRE.source, 4, *own, tok, 9, 0, 9, "h:1:1", "", 0)[0] == 1
    assert store.eval(scripts.EXTEND.source, 4, *own, tok, 9000) == 1
    assert store.eval(scripts.RELEASE.source, 4, *own, tok) == 1
    assert store.eval(scripts.ABANDON.source, 4, *own, tok, 1) == 1
    assert not store.exists(INDEX)


def test_a_full_server_still_releases(run, store):
    tok = token()
    acquire(run, tok)
    store.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.ResponseError, match="maxmemory"):
            acquire(run, token(), enrol=1)
        assert run(scripts.RELEASE, tok) == 1
    finally:
        store.config_set("maxmemory", 0)
