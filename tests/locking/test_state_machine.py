"""The API against a model that a child could follow, in every order that Hypothesis thinks of.

Actors are tasks of one loop, and threads. After each act the model knows exactly who holds and who
is at which place of the line, and the real store must agree. Time does not pass: leases are long,
and one runs out when the test takes it away from the store.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
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

from locking import Lease, Lock, LockLost, LockRevoked, control, lock, names, rw_lock, semaphore
from locking.names import Kind

# Nothing here takes longer unless it is broken.
BOUND = 5.0
# More than one can have beside another.
ALL = 1000


@dataclass(frozen=True)
class Wish:
    kind: Kind
    weight: int
    lock: Callable[..., Lock]


OPTIONS = {"lease": 600, "wait": None}
WISHES = {
    "lock": Wish(Kind.LOCK, 1, lambda **more: lock("n", **OPTIONS | more)),
    "read": Wish(Kind.RW, 1, lambda **more: rw_lock("n", **OPTIONS | more).read),
    "write": Wish(Kind.RW, ALL, lambda **more: rw_lock("n", **OPTIONS | more).write),
    "permit": Wish(Kind.SEMAPHORE, 1, lambda **more: semaphore("n", 2, **OPTIONS | more)),
}
CAPACITY = {Kind.LOCK: 1, Kind.RW: ALL, Kind.SEMAPHORE: 2}


@dataclass(eq=False)
class Ask:
    """One actor's wish: in line with a task, later at most holding with a lease."""

    weight: int
    task: asyncio.Task[Lease] | None = None
    lease: Lease | None = None
    token: str = ""
    fence: int = 0


@dataclass
class Resource:
    """What the model knows of the shares of one kind."""

    kind: Kind
    holders: list[Ask] = field(default_factory=list)
    line: list[Ask] = field(default_factory=list)
    past: list[Lease] = field(default_factory=list)
    fence: int = 0

    def fits(self, weight: int) -> bool:
        return sum(ask.weight for ask in self.holders) + weight <= CAPACITY[self.kind]

    def served(self) -> Iterator[Ask]:
        """Those at the head of the line for whom there is room now."""
        while self.line and self.fits(self.line[0].weight):
            ask = self.line.pop(0)
            self.holders.append(ask)
            yield ask

    @property
    def keys(self) -> tuple[str, ...]:
        if self.kind is Kind.LOCK:
            return names.keys("lock", "n")
        return names.share_keys("lock", self.kind, "n")


class Locks(RuleBasedStateMachine):
    wishes = st.sampled_from(list(WISHES))
    kinds = st.sampled_from(list(CAPACITY))
    places = st.integers(0, 3)

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store: redis.Redis = get_redis_connection("locks")
        self.store.flushall()
        self.resources = {kind: Resource(kind) for kind in CAPACITY}

    @rule(wish=wishes, fair=st.booleans(), thread=st.booleans())
    def try_it(self, wish: str, fair: bool, thread: bool) -> None:
        resource, wanted = self.resources[WISHES[wish].kind], WISHES[wish].lock(fair=fair)
        lease = in_thread(wanted.try_acquire) if thread else self.do(wanted.atry_acquire())
        ask = Ask(WISHES[wish].weight)
        room = resource.fits(ask.weight) and not (fair and resource.line)
        assert (lease is not None) == room
        if lease:
            resource.holders.append(ask)
            self.granted(resource, ask, lease)

    @rule(wish=wishes)
    def wait_for_it(self, wish: str) -> None:
        resource = self.resources[WISHES[wish].kind]
        task = self.runner.get_loop().create_task(WISHES[wish].lock().aacquire())
        resource.line.append(Ask(WISHES[wish].weight, task))
        self.settle(resource)
        length = len(resource.line)
        self.until(lambda: self.store.zcard(resource.keys[1]) == length)

    @rule(kind=kinds, place=places)
    def cancel(self, kind: Kind, place: int) -> None:
        resource = self.resources[kind]
        if ask := picked(resource.line, place):
            resource.line.remove(ask)
            assert ask.task
            ask.task.cancel()
            self.until(ask.task.done)
            assert ask.task.cancelled()
            self.settle(resource)

    @rule(kind=kinds, place=places, thread=st.booleans())
    def release(self, kind: Kind, place: int, thread: bool) -> None:
        resource = self.resources[kind]
        if ask := self.holding(resource, place):
            assert ask.lease
            in_thread(ask.lease.release) if thread else self.do(ask.lease.arelease())
            self.ended(resource, ask)
            ask.lease.release()  # once more is no error

    @rule(kind=kinds, place=places)
    def extend(self, kind: Kind, place: int) -> None:
        if ask := self.holding(self.resources[kind], place):
            assert ask.lease
            self.do(ask.lease.aextend(900))
            assert ask.lease.remaining > 800

    @rule(kind=kinds, place=places)
    def use_a_lease_of_the_past(self, kind: Kind, place: int) -> None:
        if lease := picked(self.resources[kind].past, place):
            for use in (lease.extend, lease.release):
                with pytest.raises(LockLost):
                    use()
            assert lease.lost
            assert not lease.valid

    @rule(kind=kinds, place=places)
    def throw_the_handle_away(self, kind: Kind, place: int) -> None:
        """It stays held, by nobody, until it runs out."""
        if ask := self.holding(self.resources[kind], place):
            ask.lease = ask.task = None

    @rule(wish=wishes, place=places)
    def run_out(self, wish: str, place: int) -> None:
        resource = self.resources[WISHES[wish].kind]
        if ask := picked(resource.holders, place):
            self.take_away(resource, ask)
            # Any caller puts what is free into the hands of the first in line.
            passer_by = in_thread(WISHES[wish].lock().try_acquire)
            self.ended(resource, ask, lost=True)
            room = not resource.line and resource.fits(WISHES[wish].weight)
            assert (passer_by is not None) == room
            if passer_by:
                resource.fence = passer_by.fence
                passer_by.release()

    @rule(kind=kinds, place=places)
    def force(self, kind: Kind, place: int) -> None:
        resource = self.resources[kind]
        if ask := picked(resource.holders, place):
            control.force_release("n", kind=kind, fence=ask.fence, actor="ada", reason="stuck")
            if lease := ask.lease:
                self.until(lambda: lease.lost)
                with pytest.raises(LockRevoked):
                    lease.check()
            self.ended(resource, ask, lost=True)

    @precondition(lambda self: not any(known.line for known in self.resources.values()))
    @rule(scripts=st.booleans())
    def forget(self, scripts: bool) -> None:
        """All data, or only the scripts."""
        if scripts:
            self.store.script_flush()
            return
        self.store.flushall()
        for resource in self.resources.values():
            resource.past += [ask.lease for ask in resource.holders if ask.lease]
            resource.holders.clear()

    @invariant()
    def store_and_model_agree(self) -> None:
        for resource in self.resources.values():
            holder, queue, records, *_ = resource.keys
            if resource.kind is Kind.LOCK:
                stored = [int(fence) for fence in [self.store.hget(holder, "f")] if fence]
            else:
                grants = self.store.hvals(resource.keys[4])
                stored = [int(grant.split()[0]) for grant in grants]
                assert self.store.zcard(holder) == len(stored)
            assert sorted(stored) == sorted(ask.fence for ask in resource.holders)
            assert self.store.zcard(queue) == self.store.hlen(records) == len(resource.line)
            assert not any(ask.task and ask.task.done() for ask in resource.line)
        held = sum(bool(resource.holders) for resource in self.resources.values())
        assert self.store.zcard("lock:idx") == held

    def teardown(self) -> None:
        tasks = [ask.task for known in self.resources.values() for ask in known.line if ask.task]
        for task in tasks:
            task.cancel()
        self.until(lambda: all(task.done() for task in tasks))
        self.runner.close()
        for resource in self.resources.values():
            assert not self.store.exists(*resource.keys[1:3])

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

    def settle(self, resource: Resource) -> None:
        for ask in resource.served():
            assert ask.task
            self.until(ask.task.done)
            self.granted(resource, ask, ask.task.result())

    def granted(self, resource: Resource, ask: Ask, lease: Lease) -> None:
        assert lease.valid
        assert lease.fence > resource.fence
        resource.fence = ask.fence = lease.fence
        ask.lease, ask.token = lease, lease.token

    def ended(self, resource: Resource, ask: Ask, *, lost: bool = False) -> None:
        resource.holders.remove(ask)
        if lost and ask.lease:
            resource.past.append(ask.lease)
        self.settle(resource)

    def holding(self, resource: Resource, place: int) -> Ask | None:
        return picked([ask for ask in resource.holders if ask.lease], place)

    def take_away(self, resource: Resource, ask: Ask) -> None:
        if resource.kind is Kind.LOCK:
            self.store.pexpire(resource.keys[0], 1)
            self.until(lambda: not self.store.exists(resource.keys[0]))
        else:
            self.store.zadd(resource.keys[0], {ask.token: 1})


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
def test_the_locks_do_what_the_model_says(transactional_db):
    run_state_machine_as_test(
        Locks,
        settings=settings(
            max_examples=80,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
