import asyncio
import threading
import time
from contextlib import suppress

import pytest

from locking import Lock, LockExpired, LockInvalid, LockRevoked, lock, losses
from locking.renewal import find
from locking.signals import lock_lost

LONG = 30


def fragile(**options):
    return lock("n", cancel_on_lost=True, **options)


def revoke(lease):
    find(lease.token).revoked()


def test_a_task_is_cancelled_when_it_loses_its_lock_and_told_why():
    async def main():
        with pytest.raises(LockRevoked) as caught:
            async with fragile() as lease:
                revoke(lease)
                await asyncio.sleep(LONG)
        assert isinstance(caught.value.__context__, asyncio.CancelledError)
        assert asyncio.current_task().cancelling() == 0
        await asyncio.sleep(0)

    asyncio.run(main())


@pytest.mark.race
def test_a_task_is_cancelled_when_its_lease_runs_out():
    async def main():
        with pytest.raises(LockExpired):
            async with fragile(lease=0.1, renew=False):
                await asyncio.sleep(LONG)

    asyncio.run(main())


def test_a_cancellation_by_others_stays_one():
    async def work():
        async with fragile():
            await asyncio.sleep(LONG)

    async def main():
        task = asyncio.create_task(work())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert await lock("n").atry_acquire()

    asyncio.run(main())


@pytest.mark.parametrize("first", ["loss", "others"])
def test_a_cancellation_by_others_stays_one_even_when_the_lock_is_lost_too(first):
    async def work(started):
        async with fragile() as lease:
            started.set_result(lease)
            await asyncio.sleep(LONG)

    async def main():
        started = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(work(started))
        lease = await started
        if first == "loss":
            revoke(lease)
            asyncio.get_running_loop().call_soon(task.cancel)
        else:
            task.cancel()
            revoke(lease)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(main())


def test_the_error_of_a_cancelled_block_is_its_own():
    async def main():
        with pytest.raises(KeyError):
            async with fragile() as lease:
                revoke(lease)
                try:
                    await asyncio.sleep(LONG)
                except asyncio.CancelledError:
                    raise KeyError from None
        assert asyncio.current_task().cancelling() == 0

    asyncio.run(main())


def test_a_block_that_swallows_its_cancellation_fails_all_the_same():
    async def main():
        with pytest.raises(LockRevoked):
            async with fragile() as lease:
                revoke(lease)
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(LONG)
        assert asyncio.current_task().cancelling() == 0
        await asyncio.sleep(0.01)

    asyncio.run(main())


def test_a_time_limit_around_a_lost_lock_does_not_take_the_loss_for_its_own():
    async def main():
        with pytest.raises(LockRevoked):
            async with asyncio.timeout(LONG), fragile() as lease:
                revoke(lease)
                await asyncio.sleep(LONG)

    asyncio.run(main())


def test_a_time_limit_that_runs_out_is_not_taken_for_a_loss():
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), fragile():
                await asyncio.sleep(LONG)

    asyncio.run(main())


def test_the_siblings_of_a_task_that_lost_its_lock_are_ended_by_their_group():
    async def work():
        async with fragile() as lease:
            revoke(lease)
            await asyncio.sleep(LONG)

    async def main():
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(LONG))
                group.create_task(work())
        assert caught.value.subgroup(LockRevoked)

    asyncio.run(main())


def test_a_loss_surfaces_from_the_outermost_block_of_a_reentrant_lock():
    left = []

    async def main():
        with pytest.raises(LockRevoked):
            async with fragile(reentrant=True) as lease:
                try:
                    async with fragile(reentrant=True):
                        revoke(lease)
                        await asyncio.sleep(LONG)
                finally:
                    left.append("inner")
        assert asyncio.current_task().cancelling() == 0

    asyncio.run(main())
    assert left == ["inner"]


def test_a_task_that_locks_without_awaiting_is_cancelled_too():
    async def main():
        with pytest.raises(LockRevoked), fragile() as lease:
            revoke(lease)
            await asyncio.sleep(LONG)
        assert asyncio.current_task().cancelling() == 0

    asyncio.run(main())


def test_a_task_that_holds_its_lease_without_a_block_is_cancelled_too():
    async def main():
        lease = await fragile().aacquire()
        revoke(lease)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(LONG)
        with pytest.raises(LockRevoked):
            await lease.arelease()

    asyncio.run(main())


def test_a_task_that_learned_of_the_loss_by_itself_is_not_cancelled_any_more(store):
    async def main():
        lease = await fragile().aacquire()
        store.delete("lock:{n}:l")
        with pytest.raises(LockRevoked):
            await lease.arelease()
        await asyncio.sleep(0.01)

    asyncio.run(main())


def test_whoever_adopted_a_lease_is_cancelled_for_it():
    async def main():
        lease = await fragile().aacquire()

        async def work():
            lease.adopt()
            async with lease:
                revoke(lease)
                await asyncio.sleep(LONG)

        with pytest.raises(LockRevoked):
            await asyncio.create_task(work())

    asyncio.run(main())


def test_a_loss_after_the_end_of_the_loop_harms_nobody():
    async def main():
        return await fragile().aacquire()

    lease = asyncio.run(main())
    revoke(lease)
    assert lease.lost


def test_a_thread_cannot_ask_to_be_cancelled():
    with pytest.raises(LockInvalid, match="cancel_on_lost needs a task"):
        fragile().acquire()

    async def main():
        async with fragile() as lease:
            with pytest.raises(LockInvalid):
                await asyncio.to_thread(lease.adopt)
            lease.check()

    asyncio.run(main())


def test_observers_hear_of_a_loss(store):
    heard, told = [], threading.Event()

    def receiver(sender, lease, **kwargs):
        heard.append((sender, lease, threading.current_thread().name))
        told.set()

    lock_lost.connect(receiver)
    try:
        lease = lock("n").acquire()
        revoke(lease)
        assert told.wait(30)
    finally:
        lock_lost.disconnect(receiver)
    assert heard == [(Lock, lease, "locking-losses")]


@pytest.mark.race
def test_a_task_whose_loop_was_blocked_is_cancelled_as_soon_as_it_is_free(store):
    async def main():
        with pytest.raises(LockRevoked):
            async with fragile(lease=1.5):
                store.delete("lock:{n}:l")
                time.sleep(1.2)
                await asyncio.sleep(10)
                pytest.fail("it went on without its lock")

    asyncio.run(main())


def test_a_herald_that_could_not_begin_begins_at_the_next_loss(monkeypatch):
    def fail(thread):
        raise RuntimeError("can't start new thread")

    heard = threading.Event()
    herald = losses.Herald()
    with lock("n", on_lost=lambda lease: heard.set()) as lease:
        with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="can't start"):
            patched.setattr(threading.Thread, "start", fail)
            herald.tell(lease)
        herald.tell(lease)
        assert heard.wait(30)
