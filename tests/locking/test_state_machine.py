"""The API against a model that a child could follow, in every order that Hypothesis thinks of.

Actors are tasks of one loop, and threads. After each act the model knows exactly who holds and who
is at which place of the line, and the real store must agree. Time does not pass: leases are long,
and one runs out when the test takes it away from the store.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from django_redis import get_redis_connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from locking import (
    Lease,
    Lock,
    LockLost,
    LockRevoked,
    control,
    listening,
    lock,
    names,
    rw_lock,
    semaphore,
)
from locking.names import Kind
from locking.steps import Settle

# Nothing here takes longer unless it is broken.
BOUND = 30.0
# More than one can have beside another.
ALL = 1000


OPTIONS = {"lease": 600, "wait": None}
CAPACITY = {Kind.LOCK: 1, Kind.RW: ALL, Kind.SEMAPHORE: 2}


def wanted(kind: Kind, weight: int, **options: Any) -> Lock:
    match kind, weight:
        case Kind.LOCK, _:
            return lock("n", **OPTIONS | options)
        case Kind.RW, 1:
            return rw_lock("n", **OPTIONS | options).read
        case Kind.RW, _:
            return rw_lock("n", **OPTIONS | options).write
        case _:
            return semaphore("n", 2, **OPTIONS | options)


@dataclass(eq=False)
class Ask:
    """One actor's wish: in line with a task, later at most holding with a lease."""

    weight: int
    task: asyncio.Task[Lease] | None = None
    lease: Lease | None = None
    token: str = ""
    fence: int = 0


class Locks(RuleBasedStateMachine):
    """One lock, or the shares of one name."""

    kind: Kind
    places = st.integers(0, 3)
    heavy = st.booleans()

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store: redis.Redis = get_redis_connection("locks")
        # Whoever must ask by itself is dead to the others if it does not for a second.
        in_thread(lock("any").try_acquire)
        self.until(lambda: listening.listener("locks").up)
        self.store.flushall()
        self.holders: list[Ask] = []
        self.line: list[Ask] = []
        self.past: list[Lease] = []
        self.fence = 0
        shared = self.kind is not Kind.LOCK
        self.keys = names.share_keys("lock", self.kind, "n") if shared else names.keys("lock", "n")

    def weight(self, heavy: bool) -> int:
        return ALL if heavy and self.kind is Kind.RW else 1

    def fits(self, weight: int) -> bool:
        return sum(ask.weight for ask in self.holders) + weight <= CAPACITY[self.kind]

    @rule(heavy=heavy, fair=st.booleans(), thread=st.booleans())
    def try_it(self, heavy: bool, fair: bool, thread: bool) -> None:
        ask = Ask(self.weight(heavy))
        one = wanted(self.kind, ask.weight, fair=fair)
        lease = in_thread(one.try_acquire) if thread else self.do(one.atry_acquire())
        assert (lease is not None) == (self.fits(ask.weight) and not (fair and self.line))
        if lease:
            self.holders.append(ask)
            self.granted(ask, lease)

    @rule(heavy=heavy)
    def wait_for_it(self, heavy: bool) -> None:
        one = wanted(self.kind, self.weight(heavy))
        task = self.runner.get_loop().create_task(one.aacquire())
        self.line.append(Ask(self.weight(heavy), task))
        self.settle()
        length = len(self.line)
        self.until(lambda: self.store.zcard(self.keys[1]) == length)

    @rule(place=places)
    def cancel(self, place: int) -> None:
        if ask := picked(self.line, place):
            self.line.remove(ask)
            assert ask.task
            ask.task.cancel()
            self.until(ask.task.done)
            assert ask.task.cancelled()
            self.settle()

    @rule(place=places, thread=st.booleans())
    def release(self, place: int, thread: bool) -> None:
        if ask := self.holding(place):
            assert ask.lease
            in_thread(ask.lease.release) if thread else self.do(ask.lease.arelease())
            self.ended(ask)
            ask.lease.release()  # once more is no error

    @rule(place=places)
    def extend(self, place: int) -> None:
        if ask := self.holding(place):
            assert ask.lease
            self.do(ask.lease.aextend(900))
            assert ask.lease.remaining > 800

    @rule(place=places)
    def use_a_lease_of_the_past(self, place: int) -> None:
        if lease := picked(self.past, place):
            for use in (lease.extend, lease.release):
                with pytest.raises(LockLost):
                    use()
            assert lease.lost
            assert not lease.valid

    @rule(place=places)
    def throw_the_handle_away(self, place: int) -> None:
        """It stays held, by nobody, until it runs out."""
        if ask := self.holding(place):
            ask.lease = ask.task = None

    @rule(place=places, heavy=heavy)
    def run_out(self, place: int, heavy: bool) -> None:
        if ask := picked(self.holders, place):
            self.take_away(ask)
            # Any caller puts what is free into the hands of the first in line.
            passer_by = in_thread(wanted(self.kind, self.weight(heavy)).try_acquire)
            self.ended(ask, lost=True)
            assert (passer_by is not None) == (not self.line and self.fits(self.weight(heavy)))
            if passer_by:
                self.fence = passer_by.fence
                passer_by.release()

    @rule(place=places)
    def force(self, place: int) -> None:
        if ask := picked(self.holders, place):
            control.force_release("n", kind=self.kind, fence=ask.fence, actor="ada", reason="stuck")
            if lease := ask.lease:
                self.until(lambda: lease.lost)
                with pytest.raises(LockRevoked):
                    lease.check()
            self.ended(ask, lost=True)

    @rule()
    def forget_the_scripts(self) -> None:
        self.store.script_flush()

    @precondition(lambda self: not self.line)
    @rule()
    def forget_everything(self) -> None:
        self.store.flushall()
        self.past += [ask.lease for ask in self.holders if ask.lease]
        self.holders.clear()

    @invariant()
    def store_and_model_agree(self) -> None:
        holder, queue, records, _, grants, *_ = self.keys
        if self.kind is Kind.LOCK:
            stored = [self.store.hget(holder, "f")] if self.store.exists(holder) else []
        else:
            stored = [grant.split()[0] for grant in self.store.hvals(grants)]
            assert self.store.zcard(holder) == len(stored)
        assert sorted(map(int, stored)) == sorted(ask.fence for ask in self.holders)
        assert self.store.zcard(queue) == self.store.hlen(records) == len(self.line)
        assert not any(ask.task and ask.task.done() for ask in self.line)
        listed = self.store.zrange("lock:idx", 0, -1)
        assert len(listed) == bool(self.holders)

    def teardown(self) -> None:
        tasks = [ask.task for ask in self.line if ask.task]
        for task in tasks:
            task.cancel()
        self.until(lambda: all(task.done() for task in tasks))
        self.runner.close()
        assert not self.store.exists(*self.keys[1:3])

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        async def bounded() -> Any:
            async with asyncio.timeout(BOUND):
                return await work

        return self.runner.run(bounded())

    def until(self, holds: Callable[[], bool]) -> None:
        async def wait() -> None:
            while not holds():
                await asyncio.sleep(0)

        self.do(wait())

    def settle(self) -> None:
        """Those at the head of the line for whom there is room now get their turn."""
        while self.line and self.fits(self.line[0].weight):
            ask = self.line.pop(0)
            self.holders.append(ask)
            assert ask.task
            self.until(ask.task.done)
            self.granted(ask, ask.task.result())

    def granted(self, ask: Ask, lease: Lease) -> None:
        assert lease.valid
        assert lease.fence > self.fence
        self.fence = ask.fence = lease.fence
        ask.lease, ask.token = lease, lease.token

    def ended(self, ask: Ask, *, lost: bool = False) -> None:
        self.holders.remove(ask)
        if lost and ask.lease:
            self.past.append(ask.lease)
        self.settle()

    def holding(self, place: int) -> Ask | None:
        return picked([ask for ask in self.holders if ask.lease], place)

    def take_away(self, ask: Ask) -> None:
        if self.kind is Kind.LOCK:
            self.store.pexpire(self.keys[0], 1)
            self.until(lambda: not self.store.exists(self.keys[0]))
        else:
            self.store.zadd(self.keys[0], {ask.token: 1})


def picked(asks: list[Any], place: int) -> Any:
    return asks[place % len(asks)] if asks else None


def in_thread(work: Callable[[], Any]) -> Any:
    """In one of its own, which holds nothing yet."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join(BOUND)
    return results[0]


@pytest.mark.race
@pytest.mark.parametrize("kind", list(Kind))
def test_the_locks_do_what_the_model_says(kind, transactional_db, monkeypatch):
    # A last word is given up after a tenth of a second, which a busy machine may need and more.
    monkeypatch.setattr(Settle.__new__, "__defaults__", (BOUND,))
    machine = type(f"Of_{kind}", (Locks,), {"kind": kind})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=50,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
