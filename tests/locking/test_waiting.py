"""Waiting in line: who is next, how soon it runs, and what it costs."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from locking import LockBusy, LockQueueFull, LockRevoked, control, listening, lock, names
from locking.holders import process
from tests.locking.conftest import Use
from tests.locking.workers import Worker
from tests.product import until
from tests.rounds import can
from tests.servers import Valkey

HOLDER, QUEUE, RECORDS, MEMORY, INDEX = names.keys("lock", "n")
HOLD = """
lease = lock("n", lease=LEASE, renew=False).acquire()
tell(lease.fence)
sys.stdin.readline()
released = now()
lease.release()
tell(released)
"""
SHORT = """
lease = lock("n", lease=0.5, wait=20).acquire()
tell(now())
time.sleep(9)
"""
WAIT = """
with lock("n", wait=30) as lease:
    tell(now())
    sys.stdin.readline()
"""
COMING = f"""
tell("ready")
sys.stdin.readline()
{WAIT}
"""
Start = Callable[[Callable[[], object]], None]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts threads, and sees them end."""
    threads: list[threading.Thread] = []

    def begin(work: Callable[[], object]) -> None:
        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def holding(lease: float) -> Worker:
    worker = Worker(HOLD.replace("LEASE", str(lease)))
    worker.hear()
    return worker


def in_line(store: redis.Redis, number: int) -> None:
    until(lambda: store.zcard(QUEUE) == number)


def calls(store: redis.Redis) -> int:
    """Scripts run by the server so far."""
    return sum(store.info("commandstats")[f"cmdstat_{verb}"]["calls"] for verb in ("evalsha",))


def test_threads_tasks_and_processes_are_served_in_the_order_they_came(store, start):
    served = []

    def thread() -> None:
        with lock("n", wait=20):
            served.append("thread")

    async def task() -> None:
        async with lock("n", wait=20):
            served.append("task")

    lease = lock("n").acquire()
    start(thread)
    in_line(store, 1)
    with Worker(WAIT) as other:
        in_line(store, 2)
        start(lambda: asyncio.run(task()))
        in_line(store, 3)
        start(thread)
        in_line(store, 4)
        lease.release()
        other.hear()
        assert served == ["thread"]
        other.say()
        until(lambda: len(served) == 3)
    assert served == ["thread", "task", "thread"]


@pytest.mark.race
def test_the_next_waiter_runs_soon_after_a_killed_holder_ran_out(store):
    def soon() -> bool:
        store.flushdb()
        with Worker(COMING) as waiter:
            waiter.hear()
            with holding(3) as holder:
                waiter.say()
                in_line(store, 1)
                expiry = time.monotonic() + store.pttl(HOLDER) / 1000
                holder.kill()
                return bool(waiter.hear()[0] - expiry < 0.05)

    assert can(soon)


@pytest.mark.race
def test_a_killed_waiter_is_passed_over_at_once(store):
    def at_once() -> bool:
        store.flushdb()
        with holding(30) as holder, Worker(WAIT) as dead:
            in_line(store, 1)
            with Worker(WAIT) as heir:
                in_line(store, 2)
                dead.kill()
                holder.say()
                return bool(heir.hear()[0] - holder.hear()[0] < 0.05)

    assert can(at_once)


@pytest.mark.race
def test_a_stopped_waiter_delays_the_next_by_its_claim_time_only(store, start):
    def delay() -> float:
        ran: list[float] = []

        def work() -> None:
            with lock("n", wait=20):
                ran.append(time.monotonic())

        store.flushdb()
        lease = lock("n").acquire()
        with Worker(WAIT) as stopped:
            in_line(store, 1)
            stopped.process.send_signal(signal.SIGSTOP)
            start(work)
            in_line(store, 2)
            released = time.monotonic()
            lease.release()
            until(lambda: bool(ran))
        assert ran[0] - released > 2.9
        return ran[0] - released

    assert can(lambda: delay() < 3.1)


def test_one_connection_listens_for_all_waiters_of_a_process(store, start):
    def work() -> None:
        with lock("n", wait=20):
            pass

    async def task() -> None:
        async with lock("n", wait=20):
            pass

    async def crowd() -> None:
        await asyncio.gather(*(task() for _ in range(8)))

    with lock("n"):
        for _ in range(8):
            start(work)
        start(lambda: asyncio.run(crowd()))
        in_line(store, 16)
        channel = f"lock:c:{process()}".encode()
        assert store.pubsub_channels("lock:*") == [channel]
        assert store.pubsub_numsub(channel) == [(channel, 1)]


@pytest.mark.race
def test_a_thousand_waiters_cost_no_more_for_each_hand_over_than_ten(store):
    async def crowd(size: int) -> tuple[float, float]:
        """Calls for each, and the seconds in which they were made."""

        async def work() -> None:
            async with lock("n", wait=30):
                pass

        lease = await lock("n").aacquire()
        tasks = [asyncio.create_task(work()) for _ in range(size)]
        while await asyncio.to_thread(store.zcard, QUEUE) < size:
            await asyncio.sleep(0.01)
        before, begun = calls(store), time.monotonic()
        await lease.arelease()
        await asyncio.gather(*tasks)
        return (calls(store) - before) / size, time.monotonic() - begun

    def at_little_cost(size: int) -> bool:
        each, seconds = asyncio.run(crowd(size))
        # A release for each, which hands the lock on; who fell asleep too long ago claims it
        # first, and whoever waits asks by itself every 2.5 s.
        return 1.0 <= each <= 1.3 + seconds / 2.5

    asyncio.run(crowd(1))
    assert can(lambda: at_little_cost(10))
    assert can(lambda: at_little_cost(1000))


@pytest.mark.race
def test_lost_news_costs_a_waiter_no_more_than_the_next_time_it_asks(store, start, monkeypatch):
    ran: list[float] = []

    def work() -> None:
        with lock("n", wait=20):
            ran.append(time.monotonic())

    with lock("n"):
        until(lambda: listening.listener("locks").up)
        begun = time.monotonic()
        start(work)
        in_line(store, 1)
        deaf = listening.listener("locks")
        monkeypatch.setattr(deaf, "hand", lambda *news: True)
    released = time.monotonic()
    until(lambda: bool(ran))
    assert ran[0] - begun > 2.4
    assert ran[0] - released < 2.6 + 1.0


@pytest.mark.race
def test_whoever_is_behind_a_short_lease_takes_over_when_its_holder_dies(store, start):
    def late() -> float:
        ran: list[float] = []

        def work() -> None:
            with lock("n", wait=20):
                ran.append(time.monotonic())

        store.flushdb()
        first = lock("n").acquire()
        with Worker(SHORT) as dying:
            in_line(store, 1)
            start(work)
            in_line(store, 2)
            first.release()
            dying.hear()
            dying.process.kill()
            end = time.monotonic() + store.pttl(HOLDER) / 1000
            until(lambda: bool(ran))
        return ran[0] - end

    assert can(lambda: late() < 0.05)


@pytest.mark.race
def test_waiters_whose_connection_was_cut_keep_their_order_and_miss_nothing(store, start):
    served = []

    def work(number: int) -> Callable[[], None]:
        def wait() -> None:
            with lock("n", wait=20):
                served.append(number)

        return wait

    with lock("n"):
        for number in range(5):
            start(work(number))
            in_line(store, number + 1)
        store.client_kill_filter(_type="pubsub")
        until(lambda: bool(store.pubsub_channels("lock:*")))
    until(lambda: len(served) == 5)
    assert served == [0, 1, 2, 3, 4]


@pytest.mark.race
def test_a_lock_released_while_nobody_is_connected_is_not_lost(store, start):
    served = []

    def work() -> None:
        with lock("n", wait=20):
            served.append(time.monotonic())

    lease = lock("n").acquire()
    start(work)
    in_line(store, 1)
    store.client_kill_filter(_type="pubsub")
    lease.release()
    released = time.monotonic()
    until(lambda: bool(served))
    assert served[0] - released < 10  # and does not wait its twenty seconds out


@pytest.mark.race
def test_a_restart_of_the_server_is_ridden_out_by_those_who_wait(own_valkey: Valkey, use: Use):
    use(own_valkey.url)
    served = []

    def work(number: int) -> None:
        with lock("n", wait=20):
            served.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    lock("n", lease=30).acquire()
    with redis.Redis.from_url(own_valkey.url, db=1) as store:
        for number, thread in enumerate(threads):
            thread.start()
            in_line(store, number + 1)
    own_valkey.restart()
    for thread in threads:
        thread.join(30)
    assert sorted(served) == [0, 1, 2]


@pytest.mark.race
def test_without_the_right_to_listen_waiters_poll_in_their_order(own_valkey: Valkey, use: Use):
    with redis.Redis.from_url(own_valkey.url) as admin:
        admin.execute_command("ACL", "SETUSER", "default", "resetchannels")
    use(own_valkey.url)

    def in_order() -> bool:
        """Whoever does not ask for a second is dead to the others, so a stall may cost a place."""
        served = []

        def work(number: int) -> None:
            with lock("n", wait=20):
                served.append((number, time.monotonic()))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        with redis.Redis.from_url(own_valkey.url, db=1) as store, lock("n"):
            for number, thread in enumerate(threads):
                thread.start()
                in_line(store, number + 1)
        released = time.monotonic()
        for thread in threads:
            thread.join(20)
        assert sorted(number for number, _ in served) == [0, 1, 2]
        return [number for number, _ in served] == [0, 1, 2] and served[-1][1] - released < 1.0

    assert can(in_order)


def test_more_may_not_wait_than_the_limit(store, start, settings):
    settings.LOCKING = {**settings.LOCKING, "QUEUE_LIMIT": 1}
    with lock("n"):
        start(lambda: lock("n", wait=5).acquire().release())
        in_line(store, 1)
        with pytest.raises(LockQueueFull) as full:
            lock("n", wait=5).acquire()
        assert (full.value.name, full.value.limit) == ("n", 1)
        assert lock("n").try_acquire() is None


def test_a_lock_handed_to_nobody_is_passed_on_by_the_process_it_was_handed_in(store, start):
    """As when a thread was ended by other means than an exception."""
    with pytest.raises(LockBusy), lock("n"):
        lock("n", wait=0.01).acquire()  # so that this process listens
    until(lambda: listening.listener("locks").up)
    with lock("n"):
        record = f"{2**52} 0 lock:c:{process()} h:1:1:u "
        store.zadd(QUEUE, {"f" * 32: 1})
        store.hset(RECORDS, "f" * 32, record)
    released = time.monotonic()
    lock("n", wait=2).acquire().release()
    assert time.monotonic() - released < 1.0


@pytest.mark.race
def test_a_holder_hears_at_once_that_its_lease_was_taken_away(transactional_db):
    lease = lock("n").acquire()
    until(lambda: listening.listener("locks").up)
    control.force_release("n", fence=lease.fence, actor="ada", reason="stuck")
    # The next renewal would tell it too, but only ten seconds later.
    forced = time.monotonic()
    until(lambda: lease.lost)
    assert time.monotonic() - forced < 5
    with pytest.raises(LockRevoked):
        lease.check()


def test_not_being_fair_overtakes_those_who_wait_for_a_lease_that_ran_out(store, start):
    served = []

    def work() -> None:
        with lock("n", wait=20):
            served.append("waiter")

    lock("n").acquire()
    # Until then it would ask by itself very soon.
    until(lambda: listening.listener("locks").up)
    start(work)
    in_line(store, 1)
    store.delete(HOLDER)
    with lock("n", fair=False, wait=0):
        served.append("newcomer")
    until(lambda: len(served) == 2)
    assert served == ["newcomer", "waiter"]


def test_a_child_listens_on_its_own_channel():
    with Worker("""
lease = lock("n").acquire()
threading.Thread(target=lambda: lock("n", wait=20).acquire().release()).start()
from locking import listening
while not listening.listener("locks").up:
    time.sleep(0.01)
before = listening.listener("locks")
pid = os.fork()
if not pid:
    tell("child", listening.listener("locks") is before, listening.listener("locks").up)
    tell("child", lock("m", wait=0).acquire().valid)
    try:
        lock("n", wait=0.1).acquire()
    except LockBusy:
        tell("child", listening.listener("locks").channel == before.channel)
    os._exit(0)
os.waitpid(pid, 0)
lease.release()
tell("parent", before.up)
""") as worker:
        assert [worker.hear() for _ in range(4)] == [
            ["child", False, False],
            ["child", True],
            ["child", False],
            ["parent", True],
        ]
