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


def asking(
    tok, *, lease=30_000, enrol=0, life=15_000, fair=1, most=100, ticket=0, floor=0, meta=""
):
    line = f"{enrol} {life} {ticket} {fair} {most}"
    return tok, lease, floor, f"chan host:1:2:u {meta}", line


def parts(reply):
    """A grant alike the other replies, which begin with what they are."""
    return [1, reply] if isinstance(reply, int) else reply


def acquired(run) -> str:
    tok = token()
    assert acquire(run, tok)[0] == 1
    return tok


def acquire(run, tok, **options):
    return parts(run(scripts.ACQUIRE, *asking(tok, **options)))


def release(run, tok, at_least=0):
    answer = run(scripts.RELEASE, tok, at_least)
    return [answer & 3, answer >> 2]


@pytest.fixture
def news(store):
    """What the process of these waiters hears."""
    with store.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("chan")
        pubsub.get_message(timeout=1)

        def heard():
            message = pubsub.get_message(timeout=1)
            return message and message["data"].decode()

        yield heard


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
    busy, ttl, held_fence, held_for, actor, meta, *place = acquire(run, token())
    assert (busy, held_fence, actor, meta) == (0, fence, b"host:1:2:u", b'{"job":1}')
    assert place == [-1, 0]
    assert 29_000 < ttl <= 30_000
    assert 0 <= held_for < 1_000_000


def test_fences_rise_with_every_grant_also_when_all_is_forgotten(run, store):
    fences = []
    for n in range(300):
        tok = token()
        fences.append(acquire(run, tok)[1])
        release(run, tok)
        if n == 150:
            store.flushall()
    assert fences == sorted(set(fences))


def test_the_memory_is_kept_for_a_week_anew_on_each_day_of_use(run, store):
    release(run, acquired(run))
    store.pexpire(MEMORY, 3_000)
    release(run, acquired(run))
    assert store.pttl(MEMORY) <= 3_000
    store.hset(MEMORY, "f", int(store.hget(MEMORY, "f")) - 86_400_000_000)
    release(run, acquired(run))
    assert store.pttl(MEMORY) > 600_000_000


@pytest.mark.parametrize("lease", [2_499, 2_500])
def test_the_first_in_line_hears_of_a_claimed_lease_that_is_shorter_than_its_nap(
    run, store, news, lease
):
    holder, second, third = token(), token(), token()
    acquire(run, holder)
    for waiter in (second, third):
        acquire(run, waiter, enrol=1)
    release(run, holder)
    assert news().startswith(f"g {second} ")
    acquire(run, second, lease=lease)
    assert news() == (f"g {third} 0 {HOLDER}" if lease < 2_500 else None)


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
    assert release(run, token()) == [0, 0]
    assert release(run, tok) == [1, 0]
    assert not store.exists(HOLDER)
    assert store.zcard(INDEX) == 0


def test_releasing_again_is_recognised_among_the_last_eight(run):
    tokens = [token() for _ in range(9)]
    for tok in tokens:
        acquire(run, tok)
        release(run, tok)
    assert [release(run, tok)[0] for tok in tokens] == [0] + [2] * 8


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
    run(farewell, tok, 1 if farewell is scripts.ABANDON else 0)
    for enrol in (0, 1):
        with pytest.raises(redis.ResponseError, match="released or abandoned before"):
            acquire(run, tok, enrol=enrol)
    assert not store.exists(HOLDER, QUEUE)
    other = token()
    acquire(run, other)
    with pytest.raises(redis.ResponseError, match="released or abandoned before"):
        acquire(run, tok, enrol=1)
    assert not store.exists(QUEUE)


def test_everything_kept_about_a_free_lock_expires(run, store):
    tok = token()
    acquire(run, tok)
    acquire(run, token(), enrol=1)
    release(run, tok)
    run(scripts.ABANDON, token(), 1)
    assert all(store.pttl(key) > 0 for key in store.keys("lock:{*"))


def test_memory_that_vanished_while_the_lock_was_held_does_not_stay_for_ever(run, store):
    tok = token()
    acquire(run, tok)
    store.delete(MEMORY)
    release(run, tok)
    assert store.pttl(MEMORY) > 0


def test_waiters_keep_the_order_in_which_they_came(run, store):
    tokens = [token() for _ in range(5)]
    acquire(run, token())
    places = [acquire(run, tok, enrol=1)[6:] for tok in tokens]
    assert [position for position, _ in places] == [0, 1, 2, 3, 4]
    assert [acquire(run, tok, enrol=1)[6:] for tok in tokens] == places
    assert store.zrange(QUEUE, 0, -1) == [tok.encode() for tok in tokens]
    assert int(store.hget(MEMORY, "c")) == 5


def test_a_release_hands_the_lock_to_the_first_waiter_and_tells_its_process(run, store, news):
    holder, first, second = token(), token(), token()
    _, fence = acquire(run, holder)
    acquire(run, first, enrol=1, meta='{"a": "b c"}')
    acquire(run, second, enrol=1)
    assert release(run, holder) == [1, 0]
    held = store.hgetall(HOLDER)
    assert news() == f"g {first} {held[b'f'].decode()} {HOLDER}"
    assert (held[b"tok"], held[b"st"]) == (first.encode(), b"granted")
    assert held[b"who"] == b'chan host:1:2:u {"a": "b c"}'
    assert 0 < store.pttl(HOLDER) <= 3000
    assert store.zrange(QUEUE, 0, -1) == store.hkeys(RECORDS) == [second.encode()]
    granted, claimed = acquire(run, first, enrol=1)
    assert (granted, claimed) == (1, int(held[b"f"]))
    assert claimed > fence
    assert store.pttl(HOLDER) > 29_000
    assert not store.hexists(HOLDER, "st")
    assert int(store.hget(MEMORY, "n")) == 2


def test_a_waiter_whose_process_is_gone_is_skipped_at_once(run, store):
    holder, first = token(), token()
    acquire(run, holder)
    acquire(run, first, enrol=1)
    release(run, holder)
    assert not store.exists(HOLDER, QUEUE, RECORDS)


def test_a_waiter_who_polls_is_handed_the_lock_without_a_message(run, store):
    holder, first = token(), token()
    acquire(run, holder)
    acquire(run, first, enrol=2)
    release(run, holder)
    assert store.hget(HOLDER, "tok") == first.encode()


@pytest.mark.race
def test_a_waiter_who_has_not_asked_for_long_is_skipped(run, store, news):
    holder, dead, alive = token(), token(), token()
    acquire(run, holder)
    acquire(run, dead, enrol=1, life=20)
    acquire(run, alive, enrol=1)
    time.sleep(0.03)
    release(run, holder)
    assert store.hget(HOLDER, "tok") == alive.encode()


def test_many_dead_waiters_are_skipped_in_several_calls(run, store, news):
    holder, alive = token(), token()
    acquire(run, holder)
    for _ in range(100):
        acquire(run, token(), enrol=1)
    store.delete(RECORDS)
    acquire(run, alive, enrol=1, most=101)
    assert release(run, holder) == [1, 1]
    assert not store.exists(HOLDER)
    assert release(run, holder) == [2, 0]
    assert store.hget(HOLDER, "tok") == alive.encode()


def test_a_newcomer_does_not_overtake_those_who_wait_for_a_lease_that_ran_out(run, store, news):
    holder, first, late = token(), token(), token()
    acquire(run, holder)
    acquire(run, first, enrol=1)
    store.delete(HOLDER)
    assert acquire(run, late)[0] == 0
    assert store.hget(HOLDER, "tok") == first.encode()


def test_a_newcomer_who_need_not_be_fair_does(run, store):
    holder, first, late = token(), token(), token()
    acquire(run, holder)
    acquire(run, first, enrol=1)
    store.delete(HOLDER)
    assert acquire(run, late, fair=0)[0] == 1
    assert store.zrange(QUEUE, 0, -1) == [first.encode()]


def test_the_first_waiter_takes_a_lease_that_ran_out_when_it_asks(run, store):
    holder, first, second = token(), token(), token()
    acquire(run, holder)
    acquire(run, first, enrol=1)
    acquire(run, second, enrol=1)
    store.delete(HOLDER)
    assert acquire(run, first, enrol=1)[0] == 1
    assert store.zrange(QUEUE, 0, -1) == store.hkeys(RECORDS) == [second.encode()]


def test_a_waiter_who_was_dropped_comes_back_to_its_place(run, store):
    acquire(run, token())
    first, second = token(), token()
    _, ticket = acquire(run, first, enrol=1)[6:]
    acquire(run, second, enrol=1)
    store.zrem(QUEUE, first)
    assert acquire(run, first, enrol=1, ticket=ticket)[6:] == [0, ticket]
    assert acquire(run, second, enrol=1)[6] == 1


def test_a_full_queue_takes_nobody_new(run):
    acquire(run, token())
    inside = token()
    acquire(run, inside, enrol=1, most=1)
    assert acquire(run, token(), enrol=1, most=1) == [-1]
    assert acquire(run, inside, enrol=1, most=1)[0] == 0


def test_a_waiter_who_gives_up_leaves_the_queue(run, store):
    tok = token()
    acquire(run, token())
    acquire(run, tok, enrol=1)
    run(scripts.ABANDON, tok, 0)
    assert not store.exists(QUEUE, RECORDS)
    assert not store.hexists(MEMORY, "x")


def test_a_waiter_who_gives_up_what_it_was_just_handed_hands_it_on(run, store, news):
    holder, first, second = token(), token(), token()
    acquire(run, holder)
    acquire(run, first, enrol=1)
    acquire(run, second, enrol=1)
    release(run, holder)
    run(scripts.ABANDON, first, 0)
    assert store.hget(HOLDER, "tok") == second.encode()


def test_declining_passes_on_only_what_was_not_claimed(run, store, news):
    holder, first = token(), token()
    acquire(run, holder)
    acquire(run, first, enrol=1)
    release(run, holder)
    acquire(run, first, enrol=1)
    run(scripts.ABANDON, first, 2)
    assert store.hget(HOLDER, "tok") == first.encode()
    store.hset(HOLDER, "st", "granted")
    run(scripts.ABANDON, first, 2)
    assert not store.exists(HOLDER)


def test_a_lock_released_early_stays_held_by_nobody_until_its_time(run, store, news):
    holder, first = token(), token()
    acquire(run, holder)
    acquire(run, first, enrol=1)
    assert release(run, holder, at_least=5_000) == [1, 0]
    assert release(run, holder, at_least=5_000) == [2, 0]
    assert 4_000 < store.pttl(HOLDER) <= 5_000
    assert store.hget(HOLDER, "tok") == b"-"
    assert acquire(run, first, enrol=1)[0] == 0
    store.delete(HOLDER)
    assert acquire(run, first, enrol=1)[0] == 1


def test_a_lock_held_for_long_enough_is_free_at_its_release(run, store):
    holder = token()
    acquire(run, holder)
    store.hincrby(HOLDER, "at", -5_000_001)
    release(run, holder, at_least=5_000)
    assert not store.exists(HOLDER)


def test_without_the_index_all_keys_of_a_call_lie_in_one_slot(store):
    tok = token()
    own = KEYS[:4]
    assert store.eval(scripts.ACQUIRE.source, 4, *own, *asking(tok)) > 1
    assert store.eval(scripts.EXTEND.source, 4, *own, tok, 9000) == 1
    assert store.eval(scripts.RELEASE.source, 4, *own, tok, 0) == 1
    assert store.eval(scripts.ABANDON.source, 4, *own, tok, 1) == 1
    assert not store.exists(INDEX)


def test_a_full_server_still_extends_releases_hands_over_and_lets_claim(run, store):
    tok, waiter = token(), token()
    acquire(run, tok)
    acquire(run, waiter, enrol=2)
    store.config_set("maxmemory", 1)
    try:
        assert run(scripts.EXTEND, tok, 60_000) == 1
        with pytest.raises(redis.ResponseError, match="maxmemory"):
            acquire(run, token(), enrol=1)
        assert release(run, tok) == [1, 0]
        assert acquire(run, waiter, enrol=2)[0] == 1
        assert release(run, waiter, at_least=60_000) == [1, 0]
    finally:
        store.config_set("maxmemory", 0)
