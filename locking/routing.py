"""Which node of a cluster to ask, and what to do when it is not the right one any more.

A flow like those of ``flows``: it yields steps, a driver of either colour performs them.
https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
"""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable
from typing import Any, NamedTuple, TypeVar

from redis.crc import key_slot

from .clock import Clock
from .errors import Asked, ConnectionBroken, LockUnavailable, Moved, ScriptMissing, TryAgain
from .steps import Run, Settle

T = TypeVar("T")
S = TypeVar("S", Run, Settle)

Redirected = (Moved, Asked, TryAgain)

# Sent on more often, a caller waits: nodes disagree for a moment about a slot that has moved.
PROMPT_MOVES = 2
# Seconds: how often a cluster in trouble is asked who serves what, and one that seems well.
SOONEST, LATEST = 0.2, 60.0
# While some of a lock's keys are here and some there, nobody can serve it.
PAUSE, PATIENCE = 0.02, 1.0


class Node(NamedTuple):
    host: str
    port: int


class At(NamedTuple):
    """Run it at this node, ``asking`` if the node is only about to own the slot."""

    node: Node
    run: Run
    asking: bool = False


class Survey(NamedTuple):
    """Ask this node which node serves what."""

    node: Node


class Pause(NamedTuple):
    seconds: float


Step = At | Survey | Pause
Shuffle = Callable[[list[Node]], None]
Flow = Generator[Step, Any, T]


def slot(key: str) -> int:
    return int(key_slot(key.encode()))


def within_slot(step: S) -> S:
    """What lives elsewhere cannot go along: the index of all locks has a slot of its own."""
    here = slot(step.keys[0])
    return step._replace(keys=tuple(key for key in step.keys if slot(key) == here))


def by_owner(runs: list[Run], routes: "Routes") -> dict[Node, list[int]]:
    """Places in the list by the node that serves them, without those that none serves."""
    places: defaultdict[Node, list[int]] = defaultdict(list)
    for place, run in enumerate(runs):
        if node := routes.owner(slot(run.keys[0])):
            places[node].append(place)
    return places


class Routes:
    """What a process knows of a cluster."""

    def __init__(self, seeds: Iterable[Node], clock: Clock) -> None:
        self._seeds = tuple(seeds)
        self._owners: dict[int, Node] = {}
        self._clock = clock
        self._surveyed = -LATEST
        self._tried = -SOONEST
        self._in_doubt = True
        self._asked = False

    def now(self) -> float:
        return self._clock()

    def owner(self, slot: int) -> Node | None:
        return self._owners.get(slot)

    def doubt(self) -> None:
        """A node did not behave as an owner does."""
        self._in_doubt = True

    def move(self, slot: int, node: Node) -> None:
        self._owners[slot] = node
        self._in_doubt = True

    def begin_survey(self) -> bool:
        """Whether it is time for one; of several that ask at once, one is told so."""
        now = self._clock()
        due = now >= self._tried + SOONEST if self._in_doubt else now >= self._surveyed + LATEST
        if due:
            self._tried, self._asked = now, True
        return due

    def end_survey(self) -> None:
        self._asked = False

    @property
    def surveying(self) -> bool:
        """Whether somebody is finding out; who was cancelled meanwhile does not say so."""
        return self._asked and self._clock() < self._tried + PATIENCE

    def survey(self, ranges: list[Any], asked: Node) -> None:
        """What CLUSTER SLOTS said, when asked there."""
        owners = {}
        for first, last, (host, port, *_), *_ in ranges:
            # A node that does not know its own name means: where you found me.
            node = Node(host.decode() if host else asked.host, port)
            owners.update(dict.fromkeys(range(first, last + 1), node))
        self._owners = owners
        self._surveyed, self._in_doubt = self._clock(), False

    def witnesses(self) -> list[Node]:
        """Nodes to ask, those that were configured last."""
        return list(dict.fromkeys((*self._owners.values(), *self._seeds)))


def routed(run: Run, routes: Routes, shuffle: Shuffle) -> Flow[Any]:
    """The reply of the node that serves the keys. Raises LockUnavailable."""
    number = slot(run.keys[0])
    run = within_slot(run)
    moves, patience = 0, run.until or routes.now() + PATIENCE
    while routes.now() < patience:
        yield from surveyed(routes, shuffle)
        node = routes.owner(number)
        if node is None:
            if not routes.surveying:
                raise ConnectionBroken
            yield Pause(PAUSE)
            continue
        try:
            return (yield from _asked_at(node, run))
        except Moved as moved:
            routes.move(number, Node(*moved.node))
            moves += 1
            if moves > PROMPT_MOVES:
                yield Pause(PAUSE)
        except TryAgain:
            yield Pause(PAUSE)
        except ScriptMissing:
            raise
        except LockUnavailable:
            routes.doubt()
            raise
    raise LockUnavailable


def _asked_at(node: Node, run: Run) -> Flow[Any]:
    """A slot that is on its way has some of its keys elsewhere already."""
    try:
        return (yield At(node, run))
    except Asked as asked:
        return (yield At(Node(*asked.node), run, asking=True))


def surveyed(routes: Routes, shuffle: Shuffle) -> Flow[None]:
    """Finds out who serves what, if that is in doubt and somebody can tell."""
    if not routes.begin_survey():
        return
    witnesses = routes.witnesses()
    shuffle(witnesses)
    for witness in witnesses:
        try:
            routes.survey((yield Survey(witness)), witness)
            break
        except LockUnavailable:
            continue
    routes.end_survey()
