"""Deadlocks: seen by those who wait in one, and ended by the youngest of them.

A waiter that holds something lets others know what it waits for, and walks: from the lock it waits
for to the holders, from each to the lock that one waits for, and so on. A way that leads back to
the waiter and shows the same fences and tickets when it is walked a second time was closed at the
moment between the walks, for a fence is never granted again and a ticket never drawn again. The
wait with the youngest ticket on it ends in LockDeadlock. Everyone on the way finds the same one, so
it alone gives way; what it leaves is what the others wait for.

Waiting for oneself is the shortest such way. It too is noticed after PATIENCE and not at once, so
that a lease on its way to another thread has the time to be adopted there.

Nobody pays but who has waited for PATIENCE while holding a lock: about once a second one call to
ask for the lock again, one to write a record, and then one for each lock and holder on the way,
at most 2 * MOST_HOPS + 1 and mostly two, all again when the way leads back.

Not seen: waits for a semaphore, where any permit would do; ways over a lease that its taker has
handed on; a task that waits by way of a thread, or a thread by way of a task.
"""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from . import names, scripts
from .attempts import Attempt
from .clock import Clock
from .durations import milliseconds
from .errors import LockDeadlock, LockUnavailable
from .holding import at_hand
from .steps import Flow, Run, Settle, ask

PATIENCE = 0.5
# Seconds between two walks, at least and at most.
PAUSE = 0.7, 1.2
MOST_HOPS = 64
# A record outlives some missed walks. Left over, it misleads nobody: queues tell who waits.
RECORD_LIFE = 5.0
MOST_FENCES = 256
LAST_WORD = 0.05


class Wait(NamedTuple):
    """What a thread or task waits for; ``fences`` are of the locks it holds meanwhile."""

    key: str
    ticket: int
    token: str
    fences: tuple[int, ...]

    @property
    def text(self) -> str:
        return f"{self.key} {self.ticket} {self.token} {','.join(map(str, self.fences))}"


def parse(text: str) -> Wait:
    key, ticket, token, fences = text.rsplit(" ", 3)
    return Wait(key, int(ticket), token, tuple(map(int, fences.split(","))))


class Hold(NamedTuple):
    """``unit`` names a thread or task of any process."""

    fence: int
    unit: str


class Link(NamedTuple):
    """A wait, and the fence of the grant that stands in its way."""

    wait: Wait
    fence: int


Way = tuple[Link, ...]


class Graph(Protocol):
    def holders(self, wait: Wait) -> Flow[Sequence[Hold]]:
        """All whom it waits for; nobody unless it still waits."""

    def wait(self, unit: str) -> Flow[Wait | None]: ...


def way_back(start: Wait, unit: str, graph: Graph) -> Flow[Way | None]:
    """The shortest way from a waiting unit back to itself, found breadth first."""
    ways: deque[tuple[Wait, Way]] = deque([(start, ())])
    met, hops = {unit}, 0
    while ways:
        wait, way = ways.popleft()
        for fence, holder in (yield from graph.holders(wait)):
            here = (*way, Link(wait, fence))
            if holder == unit and fence in start.fences:
                return here
            if holder in met or hops == MOST_HOPS:
                continue
            hops += 1
            next_wait = yield from graph.wait(holder)
            # Only who has the lease at hand is held up by what its taker waits for.
            if next_wait and fence in next_wait.fences:
                met.add(holder)
                ways.append((next_wait, here))
    return None


def gives_way(way: Way) -> bool:
    """Whether the one who found this way is the youngest on it."""
    return max(way, key=lambda link: (link.wait.ticket, link.wait.token)) is way[0]


class StoredGraph:
    def __init__(self, prefix: str, until: float | None) -> None:
        self._prefix = prefix
        self._until = until

    def holders(self, wait: Wait) -> Flow[Sequence[Hold]]:
        keys = names.keys_of(wait.key)
        script = scripts.protocol(keys).holders
        ticket, *rest = yield from ask(Run(script, keys, (wait.token,), self._until))
        if ticket != wait.ticket:
            return []
        return [
            Hold(fence, actor.decode().rpartition(":")[2])
            for fence, actor in zip(rest[::2], rest[1::2], strict=True)
        ]

    def wait(self, unit: str) -> Flow[Wait | None]:
        record = (record_key(self._prefix, unit),)
        text = yield from ask(Run(scripts.WAIT_FOR, record, (), self._until))
        return parse(text.decode()) if text else None


def record_key(prefix: str, unit: str) -> str:
    return f"{prefix}:wf:{unit}"


class Lookout:
    """The vigil kept by a thread or task that waits for a lock while it holds others."""

    def __init__(self, prefix: str, *, clock: Clock, random: Callable[[], float]) -> None:
        self._prefix = prefix
        self._clock = clock
        self._random = random
        self._due = clock() + PATIENCE
        self._record: tuple[str, ...] = ()

    def keep(self, attempt: Attempt, ticket: int, until: float | None) -> Flow[float]:
        """Raises LockDeadlock when it is for this waiter to give way."""
        if self._clock() >= self._due:
            if fences := tuple(lease.fence for lease in at_hand()[-MOST_FENCES:]):
                wait = Wait(attempt.keys[0], ticket, attempt.token, fences)
                # An outage is for the waiter to find, when it asks for its lock.
                with suppress(LockUnavailable):
                    yield from self._look(wait, attempt, until)
            least, most = PAUSE
            self._due = self._clock() + least + (most - least) * self._random()
        return max(self._due - self._clock(), 0.0)

    def _look(self, wait: Wait, attempt: Attempt, until: float | None) -> Flow[None]:
        unit = attempt.actor.rpartition(":")[2]
        self._record = (record_key(self._prefix, unit),)
        kept = wait.text, milliseconds(RECORD_LIFE)
        yield from ask(Run(scripts.WAIT_FOR, self._record, kept, until))
        graph = StoredGraph(self._prefix, until)
        way = yield from way_back(wait, unit, graph)
        if way and gives_way(way) and way == (yield from way_back(wait, unit, graph)):
            cycle = [names.from_key(self._prefix, link.wait.key) for link in way]
            raise LockDeadlock(attempt.name, cycle=cycle)

    def end(self) -> Flow[None]:
        if self._record:
            yield Settle(scripts.WAIT_FOR, self._record, ("", 0), LAST_WORD)
