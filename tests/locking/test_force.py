"""Taking a lock from its holder: the script, its record, and what happens at the same time."""

import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from django.db import connection, transaction
from django.db.models.signals import post_save

from locking import (
    LockBusy,
    LockError,
    LockUnavailable,
    control,
    lock,
    rw_lock,
    scripts,
    semaphore,
    signals,
)
from locking.errors import HolderChanged, LockLost
from locking.inspection import Phase
from locking.models import ForcedRelease, Outcome
from locking.names import Kind, keys
from tests.locking.conftest import Use
from tests.locking.proxy import Fault, Proxy
from tests.servers import Cluster, wait_until

WHO = {"actor": "operator", "reason": "it hangs"}
ME = "0" * 32


def run(store, script: scripts.Script, name: str, *args):
    return store.eval(script.source, 5, *keys("lock", name), *args)


def force(store, fence: int, call: str = ME):
    return run(store, scripts.FORCE, "n", fence, call)


def hold(store, token: str, channel: str = "-") -> int:
    now = int(time.time() * 1e6)
    holder = {"tok": token, "f": now, "at": now, "who": f"{channel} h:1:2:u "}
    store.hset("lock:{n}:l", mapping=holder)
    store.pexpire("lock:{n}:l", 30_000)
    store.zadd("lock:idx", {"lock:{n}:l": now + 30e6})
    return now


def enrol(store, token: str, channel: str = "-") -> None:
    now = int(time.time() * 1e6)
    store.zadd("lock:{n}:q", {token: now})
    store.hset("lock:{n}:w", token, f"{now + 9_000_000} 0 {channel} w:3:4:v ")


def acquire(store, token: str):
    args = token, 30_000, 0, "- h:1:2:u ", "0 15000 0 1 100"
    return run(store, scripts.ACQUIRE, "n", *args)


@pytest.fixture
def token() -> str:
    return secrets.token_hex(16)


def test_only_the_holder_under_the_fence_is_thrown_out(store, token):
    fence = hold(store, token)
    assert force(store, fence - 1) == [0, 0]
    assert store.exists("lock:{n}:l")
    assert force(store, fence) == [1, 0]
    assert not store.exists("lock:{n}:l")
    assert store.zcard("lock:idx") == 0
    assert store.hget("lock:{n}:s", "v") == b"1"
    assert force(store, fence, "1" * 32) == [0, 0]


def test_a_repeated_call_repeats_its_answer_and_hurts_nobody(store, token):
    fence = hold(store, token)
    assert force(store, fence) == [1, 0]
    after = acquire(store, secrets.token_hex(16))
    assert force(store, fence) == [2, 0]
    assert int(store.hget("lock:{n}:l", "f")) == after
    assert store.hget("lock:{n}:s", "v") == b"1"


def test_the_holder_thrown_out_cannot_take_the_lock_again(store, token):
    force(store, hold(store, token))
    with pytest.raises(redis.ResponseError, match="GIVENUP"):
        acquire(store, token)
    assert run(store, scripts.RELEASE, "n", token, 0) == 0


@pytest.mark.parametrize("channel", ["lock:c:cafe", "-"], ids=["told", "without a channel"])
def test_the_holder_is_told(store, token, channel):
    with store.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe("lock:c:cafe")
        heard.get_message(timeout=1)
        force(store, hold(store, token, channel))
        news = heard.get_message(timeout=10 if channel != "-" else 0.05)
    expected = f"x {token} 0 lock:{{n}}:l".encode() if channel != "-" else None
    assert (news and news["data"]) == expected


def test_the_first_live_waiter_is_next(store, token):
    fence = hold(store, token)
    enrol(store, "a" * 32, "lock:c:nobody-listens")
    enrol(store, "b" * 32)
    enrol(store, "c" * 32)
    force(store, fence)
    tok, state = store.hmget("lock:{n}:l", "tok", "st")
    assert (tok, state) == (b"b" * 32, b"granted")
    assert store.zrange("lock:{n}:q", 0, -1) == [b"c" * 32]


def test_many_dead_waiters_are_skipped_in_several_calls(store, token):
    fence = hold(store, token)
    for n in range(150):
        enrol(store, f"{n:032x}", "lock:c:nobody-listens")
    assert [force(store, fence) for _ in range(3)] == [[1, 1], [2, 1], [2, 0]]
    assert not store.exists("lock:{n}:q", "lock:{n}:w")


def test_a_lock_that_cools_down_can_be_freed(store):
    assert force(store, hold(store, "-")) == [1, 0]
    assert isinstance(acquire(store, secrets.token_hex(16)), int)


def test_a_full_server_still_lets_a_lock_go(own_valkey, token):
    store = redis.Redis.from_url(own_valkey.url)
    fence = hold(store, token)
    store.config_set("maxmemory", 1)
    assert force(store, fence) == [1, 0]


def test_a_forced_release_frees_the_lock_and_is_on_record(db, store):
    lease = lock("render", meta={"job": 1}).acquire()
    record = control.force_release("render", fence=lease.fence, **WHO)
    assert control.detail("render").phase is Phase.FREE
    assert control.detail("render").forced == 1
    assert record == ForcedRelease.objects.get()
    assert (record.name, record.fence, record.outcome) == ("render", lease.fence, "released")
    assert (record.actor, record.reason, record.meta) == ("operator", "it hangs", '{"job": 1}')
    assert len(record.holder.split(":")) == 3
    assert lease.token not in str(vars(record))
    with pytest.raises(LockLost):
        lease.release()
    assert lock("render").acquire().fence > lease.fence


@pytest.mark.parametrize("kind", [Kind.RW, Kind.SEMAPHORE])
def test_of_several_holders_one_is_thrown_out(db, kind):
    shared = rw_lock("pool").read if kind is Kind.RW else semaphore("pool", 3)
    first, second, third = (shared.acquire() for _ in range(3))
    with pytest.raises(HolderChanged):
        control.force_release("pool", fence=second.fence, **WHO)
    record = control.force_release("pool", kind=kind, fence=second.fence, **WHO)
    assert (record.kind, record.outcome, bool(record.holder)) == (kind, "released", True)
    left = [hold.holder.fence for hold in control.detail("pool", kind=kind).holds]
    assert left == [first.fence, third.fence]
    with pytest.raises(LockLost):
        second.release()


def test_of_very_many_holders_each_is_on_record(db):
    seats = semaphore("pool", control.MANY + 2)
    leases = [seats.acquire() for _ in range(control.MANY + 1)]
    last = semaphore("pool", control.MANY + 2, meta={"job": 7}).acquire()
    assert last.fence not in [hold.holder.fence for hold in of_pool().holds]
    record = control.force_release("pool", kind=Kind.SEMAPHORE, fence=last.fence, **WHO)
    assert (record.outcome, record.meta) == ("released", '{"job": 7}')
    assert len(record.holder.split(":")) == 3
    assert of_pool().held == len(leases)


def of_pool():
    return control.detail("pool", kind=Kind.SEMAPHORE)


def test_a_later_holder_is_left_alone_and_that_is_on_record(db):
    before = lock("render").acquire()
    before.release()
    after = lock("render").acquire()
    with pytest.raises(HolderChanged) as caught:
        control.force_release("render", fence=before.fence, **WHO)
    assert (caught.value.code, caught.value.status) == ("stale_fence", 409)
    after.release()
    record = ForcedRelease.objects.get()
    assert (record.outcome, record.holder, record.meta) == (Outcome.STALE, "", "")


def test_the_record_is_there_before_anything_is_done(db):
    lease = lock("render").acquire()
    seen = []

    def look(instance, **kwargs):
        seen.append((instance.outcome, control.detail("render").phase))

    post_save.connect(look, sender=ForcedRelease)
    try:
        control.force_release("render", fence=lease.fence, **WHO)
    finally:
        post_save.disconnect(look, sender=ForcedRelease)
    assert seen == [("pending", Phase.HELD), ("released", Phase.FREE)]


def test_inside_a_transaction_nothing_is_done(transactional_db):
    lease = lock("render").acquire()
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        control.force_release("render", fence=lease.fence, **WHO)
    assert control.detail("render").phase is Phase.HELD


def test_what_postgres_cannot_store_does_not_protect_a_holder(db):
    lease = lock("a", meta={"note": "\0"}).acquire()
    record = control.force_release("a", fence=lease.fence, **WHO)
    assert (record.name, record.outcome) == ("a", "released")


def test_observers_hear_of_it(db):
    heard = []

    def receive(**facts):
        heard.append({key: facts[key] for key in ("name", "fence", "actor", "reason", "meta")})

    signals.lock_forced.connect(receive)
    lease = lock("render", meta={"job": 7}).acquire()
    control.force_release("render", fence=lease.fence, **WHO)
    signals.lock_forced.disconnect(receive)
    assert heard == [{"name": "render", "fence": lease.fence, **WHO, "meta": {"job": 7}}]


def test_a_lost_reply_is_asked_for_again(db, proxy: Proxy):
    lease = lock("render").acquire()
    control.detail("render")
    # What is asked first, the script unknown to the server, the script.
    proxy.plan(Fault.PASS, Fault.PASS, Fault.BREAK)
    record = control.force_release("render", fence=lease.fence, **WHO)
    assert record.outcome == "released"
    assert control.detail("render").forced == 1


def test_without_an_answer_the_record_says_so(db, own_valkey, use: Use):
    use(own_valkey.url)
    lease = lock("render").acquire()

    def stop(created, **kwargs):
        if created:
            own_valkey.stop()

    post_save.connect(stop, sender=ForcedRelease)
    try:
        with pytest.raises(LockUnavailable):
            control.force_release("render", fence=lease.fence, **WHO)
    finally:
        post_save.disconnect(stop, sender=ForcedRelease)
    assert ForcedRelease.objects.get().outcome == Outcome.UNANSWERED


@pytest.mark.race
def test_of_force_release_and_expiry_at_once_each_lease_ends_in_one_way(transactional_db):
    """And whoever is next is never thrown out in place of the one before."""

    def operate(fence: int) -> str:
        try:
            control.force_release("busy", fence=fence, **WHO)
        except HolderChanged:
            return "too late"
        finally:
            connection.close()
        return "forced"

    def work(lease) -> str:
        try:
            lease.release()
        except LockLost:
            return "lost"
        return "released"

    ended = []
    with ThreadPoolExecutor(4) as pool:
        for round_ in range(60):
            lease = lock("busy", lease=0.02 if round_ % 3 == 0 else 30).acquire()
            if round_ % 3 == 0:
                time.sleep(0.018)
            barrier = threading.Barrier(3)

            def go(act, *args, barrier=barrier):
                barrier.wait()
                return act(*args)

            ends = pool.submit(go, work, lease), pool.submit(go, operate, lease.fence)
            twice = pool.submit(go, operate, lease.fence)
            ended.append((ends[0].result(), *sorted((ends[1].result(), twice.result()))))
            lock("busy", wait=5).acquire().release()
    assert {one[1:] for one in ended} <= {("forced", "too late"), ("too late", "too late")}
    assert all(one[0] == "lost" for one in ended if "forced" in one)
    assert ForcedRelease.objects.filter(outcome=Outcome.PENDING).count() == 0


@pytest.fixture
def cluster(use: Use) -> Iterator[Cluster]:
    servers = Cluster()
    use(servers.url)
    yield servers
    servers.stop()


def test_in_a_cluster_the_next_in_line_gets_it_too(cluster, transactional_db):
    lease = lock("render").acquire()
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(lambda: lock("render", wait=30).acquire())
        wait_until(lambda: control.detail("render").waiting == 1)
        control.force_release("render", fence=lease.fence, **WHO)
        after = waiter.result(timeout=30)
    assert after.fence > lease.fence
    wait_until(lambda: [row.name for row in control.held().rows] == ["render"])
    permits = [semaphore("pool", 2).acquire() for _ in range(2)]
    control.force_release("pool", kind=Kind.SEMAPHORE, fence=permits[0].fence, **WHO)
    (row,) = (row for row in control.held().rows if row.name == "pool")
    assert [hold.holder.fence for hold in row.holds] == [permits[1].fence]


@pytest.mark.race
def test_a_waiter_runs_when_the_holder_is_thrown_out(transactional_db):
    lease = lock("render").acquire()
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(lambda: lock("render", wait=30).acquire())
        while not control.detail("render").waiting:
            time.sleep(0.01)
        with pytest.raises(LockBusy):
            lock("render", wait=0).acquire()
        control.force_release("render", fence=lease.fence, **WHO)
        assert waiter.result(timeout=30).fence > lease.fence
    with pytest.raises(LockError):
        lease.release()
