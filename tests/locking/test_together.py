import asyncio
import random
import threading
import time

import pytest
from django.contrib.auth.models import User

from locking import (
    LockBusy,
    LockExpired,
    LockInvalid,
    LockLost,
    LockUnavailable,
    control,
    lock,
    lock_all,
)
from tests.locking.proxy import Fault, Proxy
from tests.rounds import can


def fence(store, name: str) -> int:
    return int(store.hget(f"lock:{{{name}}}:l", "f") or 0)


def is_free(store, *names: str) -> bool:
    return not store.exists(*(f"lock:{{{name}}}:l" for name in names))


def lose(store, name: str) -> None:
    store.delete(f"lock:{{{name}}}:l")


def test_all_are_held_and_come_in_the_callers_order(store):
    with lock_all("b", "c", "a") as (b, c, a):
        assert [lease.name for lease in (b, c, a)] == ["b", "c", "a"]
        assert [lease.fence for lease in (b, c, a)] == [fence(store, name) for name in "bca"]
        assert a.fence < b.fence < c.fence
    assert is_free(store, "a", "b", "c")


def test_tasks_hold_them_too(store):
    async def main():
        async with lock_all("b", "a") as (b, a):
            assert (b.name, a.name) == ("b", "a")
            assert await lock_all("z", "b").atry_acquire() is None
        leases = await lock_all("b", "a").atry_acquire()
        await leases.aextend(60)
        assert leases.remaining > 55
        async with leases:
            pass
        assert is_free(store, "a", "b")
        leases = await lock_all("b", "a").aacquire()
        await leases.arelease()

    asyncio.run(main())
    assert is_free(store, "a", "b", "z")


def test_a_name_given_twice_is_one_lock(store):
    with lock_all("a", "ka\u0308se", "k\u00e4se", "a") as leases:
        assert leases[0] is leases[3]
        assert leases[1] is leases[2]
        assert len(set(leases)) == 2
    assert is_free(store, "a")


def test_rows_are_named_by_themselves(user: User):
    with lock_all(user, "a", wait=0) as leases:
        assert leases[0].name == f"auth.user:{user.pk}"


def test_they_are_released_in_reverse(store):
    with store.monitor() as monitor:
        lock_all("b", "a", "c").acquire().release()
        store.echo("done")
        ended = []
        for told in monitor.listen():
            command = told["command"]
            if command.startswith("DEL lock"):
                ended.append(command[-4])
            if "done" in command:
                break
    assert ended == ["c", "b", "a"]


def test_one_that_is_busy_leaves_none_held(store):
    with lock("b"):
        with pytest.raises(LockBusy) as caught:
            lock_all("a", "b", "c", wait=0).acquire()
        assert caught.value.name == "b"
        assert lock_all("a", "b").try_acquire() is None
        assert is_free(store, "a", "c")
    assert lock_all("a", "b").try_acquire()


@pytest.mark.race
def test_the_wait_is_for_all_of_them_together():
    def free(name: str, after: float) -> threading.Timer:
        lease = lock(name).acquire()
        timer = threading.Timer(after, lease.release)
        timer.start()
        return timer

    def once() -> bool:
        timers = [free("a", 0.3), free("b", 0.9)]
        begun = time.monotonic()
        try:
            with pytest.raises(LockBusy) as caught:
                lock_all("b", "a", wait=0.6).acquire()
            seconds = time.monotonic() - begun
            with lock_all("b", "a", wait=None):
                both = time.monotonic() - begun
        finally:
            for timer in timers:
                timer.join()
        return 0.55 < seconds < 0.85 < both and caught.value.name == "b"

    assert can(once)


@pytest.mark.race
def test_what_ran_out_while_others_were_waited_for_is_not_held(store):
    other = lock("b", lease=0.4, renew=False).acquire()
    with pytest.raises(LockExpired):
        lock_all("a", "b", lease=0.2, renew=False, wait=5).acquire()
    assert is_free(store, "a", "b")
    assert other.lost


def test_the_loss_of_any_is_seen(store):
    with pytest.raises(LockLost), lock_all("a", "b", "c") as leases:
        leases.check()
        assert leases.valid
        assert not leases.lost
        lose(store, "b")
        with pytest.raises(LockLost):
            leases.extend()
        assert leases.lost
        assert not leases.valid
        assert leases.remaining == 0
        with pytest.raises(LockLost):
            leases.check()
    assert is_free(store, "a", "c")


def test_what_the_block_raises_is_what_its_caller_sees(store):
    with pytest.raises(ZeroDivisionError), lock_all("a", "b", "c"):
        lose(store, "b")
        1 / 0  # noqa: B018
    assert is_free(store, "a", "c")


def test_a_release_by_hand_frees_all_and_tells_of_the_loss(store):
    leases = lock_all("a", "b", "c").acquire()
    lose(store, "b")
    with pytest.raises(LockLost) as caught:
        leases.release()
    assert caught.value.name == "b"
    assert is_free(store, "a", "c")


def test_a_server_that_goes_away_halfway_leaves_nothing_held(proxy: Proxy, own_valkey):
    lock("warm").acquire().release()

    def leaves_none() -> bool:
        own_valkey.ask("FLUSHALL")
        proxy.plan(Fault.PASS, Fault.BREAK, Fault.BREAK)
        with pytest.raises(LockUnavailable):
            lock_all("a", "b", "c").acquire()
        return not control.held().rows

    # The last word has a tenth of a second for a connection of its own.
    assert can(leaves_none)


def test_a_cancelled_task_leaves_nothing_held(store):
    async def main():
        async with lock("b"):
            task = asyncio.create_task(lock_all("a", "b", wait=20).aacquire())
            while not store.exists("lock:{b}:q"):
                await asyncio.sleep(0.005)
            assert not is_free(store, "a")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert is_free(store, "a")
            assert not store.exists("lock:{b}:q")

    asyncio.run(main())


def test_another_thread_may_adopt_them(store):
    leases = lock_all("a", "b").acquire()

    def work():
        leases.adopt()
        assert leases.owner is threading.current_thread()
        with leases:
            leases.check()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert is_free(store, "a", "b")


@pytest.mark.race
def test_whatever_order_they_are_named_in_nobody_waits_in_a_circle(store):
    names = list("abcde")
    done = []

    def work(seed: int):
        chance = random.Random(seed)
        for _ in range(15):
            with lock_all(*chance.sample(names, 3), wait=60) as leases:
                leases.check()
        done.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 6
    assert time.monotonic() - begun < 60
    assert is_free(store, *names)


def test_the_same_value_may_be_used_again_and_by_several_threads_at_once():
    shared = lock_all("a", "b", wait=20)
    fences = []

    def work():
        for _ in range(10):
            with shared as (a, _):
                fences.append(a.fence)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fences == sorted(set(fences))
    assert len(fences) == 30
    assert shared == lock_all("a", "b", wait=20)


def test_something_must_be_named():
    with pytest.raises(LockInvalid, match="at least one name"):
        lock_all()
