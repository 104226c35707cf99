import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.test import override_settings

from config.redis import caches
from locking import Lease, LockExpired, LockRevoked, clock, lock
from locking.attempts import Grant
from locking.control import force_release
from locking.listening import listener
from locking.renewal import Watchdog, find, forget, watch, watchdog
from tests.locking.proxy import Fault
from tests.rounds import can
from tests.servers import Valkey, scratch

HOLDER = "lock:{n}:l"

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"

pytestmark = pytest.mark.race


class Losses:
    """Remembers the leases it was told of, when and where."""

    def __init__(self):
        self.heard = threading.Event()
        self.leases, self.at, self.thread = [], None, None

    def __call__(self, lease):
        self.at, self.thread = time.monotonic(), threading.current_thread()
        self.leases.append(lease)
        self.heard.set()


@pytest.fixture
def losses() -> Losses:
    return Losses()


def until(condition, *, within: float = 30) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def run_out(store, *, name: str = "n") -> None:
    """Wait until the store has no holder any more."""
    until(lambda: not store.exists(f"lock:{{{name}}}:l"))


def test_a_lease_is_renewed_for_as_long_as_it_is_held():
    with lock("n", lease=1) as lease:
        for _ in range(20):
            time.sleep(0.1)
            lease.check()
            assert lock("n").try_acquire() is None
    assert lock("n").try_acquire()


def test_a_lease_is_renewed_for_a_task_even_while_its_loop_is_blocked():
    async def main():
        async with lock("n", lease=1) as lease:
            await asyncio.sleep(1.2)
            lease.check()
            time.sleep(1.2)
            lease.check()

    asyncio.run(main())
    assert lock("n").try_acquire()


def test_a_lease_handed_to_a_waiter_is_renewed_too():
    first = lock("n", lease=30).acquire()
    threading.Timer(0.1, first.release).start()
    with lock("n", lease=1, wait=20) as lease:
        time.sleep(1.2)
        lease.check()


def test_a_longer_extension_outlives_the_renewals():
    with lock("n", lease=1) as lease:
        lease.extend(60)
        time.sleep(1.2)
        assert lease.remaining > 50


def test_a_lease_that_is_not_to_be_renewed_runs_out_and_says_so(losses):
    begun = time.monotonic()
    lease = lock("n", lease=0.3, renew=False, on_lost=losses).acquire()
    assert losses.heard.wait(30)
    assert 0.2 < losses.at - begun < 10
    assert losses.leases == [lease]
    with pytest.raises(LockExpired):
        lease.check()


def test_a_lock_taken_away_is_noticed_by_the_next_renewal(store, losses):
    lease = lock("n", lease=9, on_lost=losses).acquire()
    begun = time.monotonic()
    store.delete(HOLDER)
    assert losses.heard.wait(30)
    assert losses.at - begun < 8  # before it would have run out
    assert lease.lost
    with pytest.raises(LockRevoked):
        lease.release()
    assert not store.exists(HOLDER)


def test_a_loss_is_told_once_however_many_notice_it(store, losses):
    lease = lock("n", lease=1, on_lost=losses).acquire()
    store.delete(HOLDER)
    for verb in (lease.extend, lease.release, lease.revoked):
        try:
            verb()
        except LockRevoked:
            continue
    assert losses.heard.wait(30)
    time.sleep(0.5)
    assert losses.leases == [lease]


def test_a_lease_released_in_time_is_not_told_lost(losses):
    with lock("n", lease=1, on_lost=losses):
        time.sleep(0.4)
    time.sleep(1)
    assert losses.leases == []


def test_a_lease_is_lost_at_its_deadline_when_the_store_falls_silent(own_valkey, use):
    use(own_valkey.url)

    def at_its_deadline() -> bool:
        losses = Losses()
        lease = lock("n", lease=0.6, wait=5, on_lost=losses).acquire()
        time.sleep(0.3)  # renewed by now
        own_valkey.pause()
        deadline = time.monotonic() + lease.remaining
        assert losses.heard.wait(30)
        with pytest.raises(LockExpired):
            lease.check()
        own_valkey.resume()
        return -0.02 < losses.at - deadline < 0.1

    assert can(at_its_deadline)


def test_a_short_silence_of_the_store_loses_no_lease(own_valkey, use):
    use(own_valkey.url)
    with lock("n", lease=3) as lease:
        for _ in range(2):
            own_valkey.pause()
            time.sleep(1.2)
            own_valkey.resume()
            time.sleep(1.2)
            lease.check()


def test_a_renewal_that_is_not_answered_is_tried_again(proxy):
    with lock("n", lease=3) as lease:
        before = len(proxy.calls)
        proxy.plan(Fault.HANG, Fault.BREAK)
        until(lambda: len(proxy.calls) > before + 2)
        lease.check()


def test_a_store_that_is_silent_keeps_no_lease_of_another_store_from_being_renewed(own_valkey):
    other = Valkey(scratch())
    both = caches(own_valkey.url) | {"other": caches(other.url)["locks"]}
    with override_settings(CACHES=both):
        mute = [lock(f"n{n}", lease=30).acquire() for n in range(300)]
        for lease in mute:
            lease.due = 0.0
        own_valkey.pause()
        with override_settings(LOCKING={"CACHE": "other"}):
            lease = lock("n", lease=1).acquire()
        for _ in range(15):
            time.sleep(0.1)
            lease.check()
        own_valkey.resume()
        assert all(each.valid for each in mute)
    other.stop()


def test_a_renewal_answered_late_does_not_touch_a_lease_released_meanwhile(proxy, losses):
    with lock("n") as lease:
        lease.extend()  # the server knows all scripts by now
    lease = lock("n", lease=2, on_lost=losses).acquire()
    proxy.plan(Fault.STALL)
    before = len(proxy.calls)
    until(lambda: len(proxy.calls) > before)  # its renewal is under way
    lease.release()
    proxy.resume.set()
    time.sleep(0.3)
    assert (lease.lost, losses.leases) == (False, [])
    assert lock("n").try_acquire()


def test_a_handle_that_is_dropped_is_renewed_no_more(store):
    lock("n", lease=0.3).acquire()
    gc.collect()
    run_out(store)
    until(lambda: len(watchdog._leases) == 0)


def test_a_lease_whose_thread_ended_is_renewed_no_more(store, caplog, losses):
    leases = []
    thread = threading.Thread(
        target=lambda: leases.append(lock("n", lease=0.3, on_lost=losses).acquire())
    )
    thread.start()
    thread.join()
    run_out(store)
    assert losses.heard.wait(30)
    assert losses.leases == leases
    assert "Lock 'n' is renewed no more: its owner ended" in caplog.text


def test_a_lease_that_another_thread_adopted_outlives_the_thread_that_acquired_it():
    leases = []

    def work():
        leases.append(lock("n", lease=1).acquire())
        adopted.wait(30)

    adopted = threading.Event()
    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: leases)
    leases[0].adopt()
    adopted.set()
    thread.join()
    time.sleep(1.2)
    leases[0].release()


def test_a_lease_whose_task_ended_is_renewed_no_more(losses):
    leases = []

    async def work():
        leases.append(await lock("n", lease=0.3, on_lost=losses).aacquire())

    async def main():
        await asyncio.create_task(work())
        await asyncio.to_thread(losses.heard.wait, 30)

    asyncio.run(main())
    assert losses.leases == leases


def test_a_lease_that_a_task_returned_is_renewed_for_whoever_has_it():
    async def main():
        lease = await asyncio.create_task(lock("n", lease=1).aacquire())
        one, two = await asyncio.gather(lock("1", lease=1).aacquire(), lock("2").aacquire())
        await asyncio.sleep(1.5)
        for each in (lease, one, two):
            await each.arelease()

    asyncio.run(main())


def test_a_lease_is_renewed_no_longer_than_max_hold(store, caplog, losses):
    begun = time.monotonic()
    lease = lock("n", lease=1, max_hold=1.5, on_lost=losses).acquire()
    assert losses.heard.wait(30)
    assert 1.5 <= losses.at - begun < 15
    assert "Lock 'n' is renewed no more: it was held for max_hold" in caplog.text
    with pytest.raises(LockExpired):
        lease.release()


def test_a_callback_that_fails_or_dawdles_harms_neither_renewals_nor_other_callbacks(
    store, caplog, losses
):
    def fail(lease):
        raise KeyError(lease.name)

    free = threading.Event()
    kept = lock("kept", lease=1).acquire()
    taken = [
        lock("1", lease=0.3, on_lost=fail).acquire(),
        lock("2", lease=0.3, on_lost=lambda lease: free.wait(30)).acquire(),
        lock("3", lease=0.3, on_lost=losses).acquire(),
    ]
    for number in (1, 2, 3):
        store.delete(f"lock:{{{number}}}:l")
        run_out(store, name=str(number))
        until(lambda lease=taken[number - 1]: lease.lost)
    time.sleep(1.2)
    kept.check()
    free.set()
    assert losses.heard.wait(30)
    assert "on_lost of lock '1' failed" in caplog.text


def test_two_thousand_leases_are_renewed_in_a_few_sends(proxy):
    leases = [lock(f"n{n}", lease=3).acquire() for n in range(2000)]
    time.sleep(1)
    proxy.calls.clear()
    time.sleep(2)
    # Two rounds of eight batches, and what the ticks and the socket make of them.
    assert len(proxy.calls) < 150
    assert all(lease.valid for lease in leases)


def test_locking_and_releasing_does_not_wake_the_watchdog():
    with lock("n"):
        thread = next(t for t in threading.enumerate() if t.name == "locking-renewal")
    status = Path(f"/proc/self/task/{thread.native_id}/status")

    def wakes() -> int:
        return int(status.read_text().split("voluntary_ctxt_switches:")[1].split()[0])

    before = wakes()
    for _ in range(10_000):
        with lock("n"):
            pass
    assert wakes() - before < 100


def test_a_lease_can_be_found_by_its_token_while_it_is_held():
    lease = lock("n").acquire()
    assert find(lease.token) is lease
    lease.release()
    assert find(lease.token) is None


def test_a_revocation_ends_a_lease_at_once(losses):
    lease = lock("n", on_lost=losses).acquire()
    find(lease.token).revoked()
    with pytest.raises(LockRevoked):
        lease.check()
    assert losses.heard.wait(30)


def test_a_forked_child_renews_nothing_of_its_parent(store):
    lease = lock("n", lease=30).acquire()
    child = os.fork()
    if child == 0:
        try:
            with lock("child", lease=1):
                time.sleep(30)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    lease.release()
    mine = lock("n", lease=1).acquire()
    until(lambda: store.exists("lock:{child}:l"))
    time.sleep(1.2)
    assert store.exists("lock:{child}:l")
    mine.check()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    run_out(store, name="child")


STOPPED = """
import django, sys
django.setup()
from locking import LockExpired, lock
lease = lock("n", lease=1, on_lost=lambda lease: print("told", flush=True)).acquire()
print("held", flush=True)
sys.stdin.readline()
try:
    lease.release()
except LockExpired:
    print("expired", flush=True)
"""


def test_a_process_stopped_beyond_its_lease_learns_that_it_lost_it(process_env):
    worker = spawn(STOPPED, process_env)
    assert worker.stdout.readline() == "held\n"
    time.sleep(0.6)
    worker.send_signal(signal.SIGSTOP)
    with lock("n", wait=30) as lease:
        worker.send_signal(signal.SIGCONT)
        assert worker.stdout.readline() == "told\n"
        out, _ = worker.communicate("go\n", timeout=60)
        assert out == "expired\n"
        lease.extend()


ENDING = """
import asyncio, django, threading
django.setup()
from locking import lock
leases = [lock(f"n{n}", lease=3).acquire() for n in range(10)]
async def main():
    leases.append(await lock("task", lease=3).aacquire())
    await asyncio.sleep(1.5)
asyncio.run(main())
print("held", flush=True)
"""


def test_an_interpreter_ends_cleanly_while_it_holds_leases(process_env, store):
    worker = spawn(ENDING, process_env)
    assert worker.communicate(timeout=60) == ("held\n", "")
    assert worker.returncode == 0


def spawn(code: str, env: dict[str, str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", code], env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )


@pytest.mark.django_db(transaction=True)
def test_the_holder_of_a_lock_that_an_operator_breaks_is_told_at_once(losses):
    lease = lock("n", on_lost=losses).acquire()
    until(lambda: listener("locks").up)
    force_release("n", fence=lease.fence, actor="operator", reason="stuck")
    assert losses.heard.wait(30)
    with pytest.raises(LockRevoked):
        lease.check()


@pytest.mark.race
def test_a_lock_handed_over_is_claimed_before_its_time_is_over(store):
    with lock("n") as before:
        until(lambda: listener("locks").up)
        worker = ThreadPoolExecutor(1)
        handed = worker.submit(lambda: lock("n", wait=30).acquire())
        until(lambda: store.zcard("lock:{n}:q") == 1)
    lease = handed.result(30)
    assert lease.fence > before.fence
    assert store.hget("lock:{n}:l", "st") == b"granted"
    assert 0.2 < lease.remaining < 3.0
    worker.shutdown()  # which ends its owner
    until(lambda: lease.remaining > 25)
    assert not store.hexists("lock:{n}:l", "st")
    assert store.pttl("lock:{n}:l") > 25_000
    lease.release()


def test_news_of_a_revocation_that_overtook_the_grant_is_looked_into(losses):
    lease = Lease(lock=lock("n", on_lost=losses), token="t" * 32)
    watch(lease)
    lease.revoked()
    lease.granted(Grant(1, clock.now() + 30, waited=0.0))
    assert lease.valid
    assert losses.heard.wait(30)
    assert lease.lost


def test_a_renewal_answered_after_the_deadline_brings_no_lease_back():
    lease = Lease(lock=lock("n"), token="t" * 32)
    lease.granted(Grant(1, clock.now() - 0.001, waited=0.0))
    assert lease.lost
    lease.renewal_answered(held=True, sent=clock.now())
    assert lease.lost


def test_the_watchdog_survives_its_own_errors(caplog):
    lease = lock("n", lease=2).acquire()
    with override_settings(CACHES={"default": {"BACKEND": LOCMEM}}):
        astray = Lease(lock=lock("astray"), token="t" * 32)
        watch(astray)
        astray.granted(Grant(1, clock.now() + 0.3, waited=0.0))
        until(lambda: "goes on after an error" in caplog.text)
    forget(astray)
    time.sleep(2.4)
    lease.release()


def test_the_watchdog_rests_however_little_time_is_left():
    resting = Watchdog()  # not the one at work, which would sleep on by what is told this one
    for _ in range(2_000):
        resting._rest(clock.now() + 3e-7)
