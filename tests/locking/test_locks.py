import asyncio
import os
import pickle
import threading
import time

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from locking import LockBusy, LockExpired, LockInvalid, LockUnavailable, lock
from locking.locks import Lock
from tests.rounds import can


def test_a_lock_is_held_within_its_block():
    with lock("n") as lease:
        assert lock("n").try_acquire() is None
        assert lease.name == "n"
    assert lock("n").try_acquire().fence > lease.fence


def test_a_lock_is_held_within_its_block_in_a_task():
    async def main():
        async with lock("n") as lease:
            assert await lock("n").atry_acquire() is None
        taken = await lock("n").atry_acquire()
        assert taken.fence > lease.fence

    asyncio.run(main())


def test_threads_and_tasks_keep_each_other_out():
    async def main():
        async with lock("n"):
            assert await asyncio.to_thread(lock("n").try_acquire) is None

    asyncio.run(main())
    with lock("n"):
        assert asyncio.run(lock("n").atry_acquire()) is None


def test_names_that_look_the_same_are_the_same():
    with lock("k\u00e4se"):
        assert lock("ka\u0308se").try_acquire() is None


def test_a_busy_lock_tells_who_holds_it_and_for_how_long_at_most():
    with lock("n", lease=20, meta={"job": 7}) as lease, pytest.raises(LockBusy) as caught:
        lock("n", wait=0).acquire()
    busy = caught.value
    assert 19 < busy.retry_after <= 20
    assert (busy.holder.pid, busy.holder.fence) == (os.getpid(), lease.fence)
    assert busy.holder.thread == threading.get_native_id()
    assert busy.holder.meta == {"job": 7}
    assert str(busy) == "Lock “n” is held by another."
    assert isinstance(busy, TimeoutError)


def test_an_error_survives_the_way_to_another_process():
    with lock("n", meta={"job": 7}), pytest.raises(LockBusy) as caught:
        lock("n", wait=0).acquire()
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.holder, copy.retry_after) == (
        str(caught.value),
        caught.value.holder,
        caught.value.retry_after,
    )


@pytest.mark.race
def test_a_wait_ends_when_it_should():
    with lock("n"):

        def wait() -> float:
            begun = time.monotonic()
            with pytest.raises(LockBusy):
                lock("n", wait=0.2).acquire()
            return time.monotonic() - begun

        assert can(lambda: 0.2 <= wait() < 1)


@pytest.mark.race
def test_a_waiter_gets_the_lock_when_it_is_released():
    def soon() -> bool:
        lease = lock("n").acquire()
        released = []

        def release() -> None:
            released.append(time.monotonic())
            lease.release()

        threading.Timer(0.1, release).start()
        with lock("n", wait=20):
            return 0 < time.monotonic() - released[0] < 1

    assert can(soon)


@pytest.mark.race
@pytest.mark.parametrize("wait", [5, None])
def test_a_waiter_gets_the_lock_soon_after_its_holder_died(wait):
    def soon() -> bool:
        begun = time.monotonic()
        lock("n", lease=0.2).acquire()
        with lock("n", wait=wait):
            return 0.2 <= time.monotonic() - begun < 1

    assert can(soon)


def test_a_lock_is_a_value_that_several_threads_may_use_at_once():
    shared = lock("n", wait=30)
    fences = []

    def work():
        for _ in range(20):
            with shared as lease:
                fences.append(lease.fence)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fences == sorted(set(fences))
    assert len(fences) == 80
    assert shared == lock("n", wait=30)


def test_a_lock_is_a_value_that_several_tasks_may_use_at_once():
    fences = []

    async def work(shared: Lock):
        for _ in range(10):
            async with shared as lease:
                await asyncio.sleep(0)
                fences.append(lease.fence)

    async def main():
        shared = lock("n", wait=30)
        await asyncio.gather(*(work(shared) for _ in range(8)))

    asyncio.run(main())
    assert fences == sorted(set(fences))
    assert len(fences) == 80


def test_a_block_may_be_left_in_another_thread():
    shared = lock("n")
    thread = threading.Thread(target=shared.__enter__)
    thread.start()
    thread.join()
    assert lock("n").try_acquire() is None
    shared.__exit__(None, None, None)
    assert lock("n").try_acquire()


def test_more_tasks_than_connections_wait_for_their_turn(store):
    async def one(n: int):
        async with lock(f"n{n}"):
            await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*(one(n) for n in range(200)))

    def talking() -> int:
        return sum(row["sub"] == "0" for row in store.client_list())

    before = talking()
    asyncio.run(main())
    assert store.info("stats")["rejected_connections"] == 0
    assert talking() <= before


def test_a_floor_lifts_the_fence():
    floor = lock("n").acquire().fence + 10**12
    assert lock("other", floor=floor).acquire().fence == floor + 1


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"name": ""}, "name must be 1 to 200 bytes"),
        ({"name": 3}, "name must be a string"),
        ({"lease": 0}, "lease must be from"),
        ({"lease": None}, "lease must be seconds"),
        ({"lease": True}, "lease must be seconds"),
        ({"lease": "30"}, "lease must be seconds"),
        ({"wait": -1}, "wait must be from"),
        ({"wait": float("nan")}, "wait must be from"),
        ({"meta": 5}, "meta must be a mapping"),
        ({"meta": {"x": {1}}}, "meta must be a mapping that JSON can write"),
        ({"meta": {"x": "\ud800"}}, "meta must be a mapping that JSON can write"),
        ({"meta": {"\udce9": 1}}, "meta must be a mapping that JSON can write"),
        ({"meta": {"x": "y" * 1024}}, "meta must be at most 1024 bytes"),
        ({"floor": -1}, "floor must be"),
        ({"floor": 2**53}, "floor must be"),
        ({"floor": "7"}, "floor must be"),
        ({"floor": 1.5}, "floor must be"),
        *(
            ({flag: wrong}, f"{flag} must be True or False, not {type(wrong).__name__}")
            for flag in ("fair", "renew", "reentrant", "cancel_on_lost", "in_atomic")
            for wrong in ("no", None, 1, [])
        ),
        ({"on_lost": 1}, "on_lost must be callable, not int"),
        ({"on_lost": "x"}, "on_lost must be callable, not str"),
    ],
    ids=repr,
)
def test_what_cannot_be_is_refused_before_anything_is_sent(options, reason):
    # A store that is not there would turn anything sent into LockUnavailable.
    with (
        override_settings(LOCKING={"CACHE": "nowhere"}),
        pytest.raises(LockInvalid, match=reason),
    ):
        lock(**{"name": "n", **options})


def test_settings_give_what_the_caller_leaves_out():
    with override_settings(LOCKING={"CACHE": "locks", "LEASE": 5, "WAIT": None, "PREFIX": "mine"}):
        made = lock("n")
    assert (made.terms.lease, made.terms.wait, made.keys[0]) == (5.0, None, "mine:{n}:l")


@pytest.mark.race
def test_a_lock_may_be_entered_again_in_a_block_that_lost_it():
    shared = lock("n", lease=0.05, renew=False)
    with pytest.raises(LockExpired), shared as first:
        time.sleep(0.06)
        with shared as second:
            assert second.fence > first.fence


def test_a_cache_that_is_not_redis_cannot_keep_locks():
    memory = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    with (
        override_settings(CACHES=memory, LOCKING={}),
        pytest.raises(ImproperlyConfigured, match="'default' is not"),
    ):
        lock("n").acquire()


def test_a_foreign_value_under_our_key_is_an_error_and_not_a_busy_lock(store):
    store.set("lock:{n}:l", "something else")
    with pytest.raises(LockUnavailable) as caught:
        lock("n").acquire()
    assert "WRONGTYPE" in str(caught.value.__cause__)
