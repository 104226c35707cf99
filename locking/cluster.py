"""A cluster's nodes, and a line that finds the right one for each step."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from . import chance, clock, noting
from .async_lines import AsyncLine, in_the_background
from .errors import LockUnavailable, TryAgain
from .lines import Line
from .pools import AsyncPool, Pool
from .routing import (
    At,
    Flow,
    Node,
    Pause,
    Redirected,
    Routes,
    Step,
    Survey,
    by_owner,
    routed,
    slot,
    surveyed,
    within_slot,
)
from .steps import Run, Settle
from .targets import Target

logger = logging.getLogger(__name__)

P = TypeVar("P", Pool, AsyncPool)

# Seconds. A node that is slow to tell about the others is not worth the wait, nor is the index.
PATIENCE, NOTE_PATIENCE = 0.3, 0.05


class Nodes(Generic[P]):
    """A pool for each node ever needed, and what is known of the slots."""

    def __init__(self, target: Target, make: Callable[[Target], P]) -> None:
        self._target = target
        self._make: Callable[[Target], P] = make
        self._pools: dict[Node, P] = {}
        self.routes = Routes((Node(*seed) for seed in target.seeds), clock.now)

    def pool(self, node: Node) -> P:
        found = self._pools.get(node)
        if found is None:
            found = self._pools.setdefault(node, self._make(self._target.at(*node)))
        return found

    @property
    def pools(self) -> list[P]:
        return list(self._pools.values())


class ClusterLine:
    """``Line`` for locks that live on many nodes."""

    def __init__(self, nodes: Nodes[Pool]) -> None:
        self._nodes = nodes
        self._routes = nodes.routes
        self._line: Line | None = None
        self._node: Node | None = None

    def run(self, step: Run) -> Any:
        reply = self._drive(routed(step, self._routes, chance.shuffle))
        self._note(step, reply)
        return reply

    def run_many(self, steps: list[Run]) -> list[Any]:
        """As ``Line.run_many``, one send for each node."""
        self._drive(surveyed(self._routes, chance.shuffle))
        replies: dict[int, Any] = {}
        for node, places in by_owner(steps, self._routes).items():
            line = Line(self._nodes.pool(node))
            runs = [within_slot(steps[place]) for place in places]
            replies |= zip(places, line.run_many(runs), strict=True)
        return [
            self._checked(step, replies.get(place, TryAgain())) for place, step in enumerate(steps)
        ]

    def _checked(self, step: Run, reply: Any) -> Any:
        if isinstance(reply, Redirected):
            try:
                return self.run(step._replace(whole=True))
            except LockUnavailable as error:
                return error
        if isinstance(reply, LockUnavailable):
            self._routes.doubt()
        else:
            self._note(step, reply)
        return reply

    def known(self, number: int) -> Node | None:
        """The node that serves a slot, as far as is known."""
        return self._routes.owner(number)

    def owner(self, number: int) -> Node | None:
        """The same, after it was found out again if it is in doubt."""
        self._drive(surveyed(self._routes, chance.shuffle))
        return self._routes.owner(number)

    def doubt(self) -> None:
        self._routes.doubt()

    def dial(self, node: Node) -> Any:
        return self._nodes.pool(node).dial()

    def settle(self, step: Settle) -> None:
        if self._line and self._is_behind(step):
            return self._line.settle(within_slot(step))
        last = Run(step.script, step.keys, step.args, clock.now() + step.patience, whole=True)
        try:
            self._drive(routed(last, self._routes, chance.shuffle))
        except LockUnavailable as error:
            logger.debug("No reply to a last word: %r", error)

    def _is_behind(self, step: Settle) -> bool:
        """Whether an unanswered call is on its way to the same node: a walk visits others too."""
        silent = self._line and self._line.silent
        return silent is not None and self._node == self._routes.owner(slot(step.keys[0]))

    def hang_up(self) -> None:
        if self._line:
            self._line.hang_up()

    def _drive(self, flow: Flow[Any]) -> Any:
        try:
            step = next(flow)
            while True:
                try:
                    reply = self._perform(step)
                except LockUnavailable as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(reply)
        except StopIteration as end:
            return end.value

    def _perform(self, step: Step) -> Any:
        match step:
            case At():
                self.hang_up()
                self._node = step.node
                self._line = Line(self._nodes.pool(step.node))
                return self._line.run(step.run, asking=step.asking)
            case Survey():
                return Line(self._nodes.pool(step.node)).survey(clock.now() + PATIENCE)
            case Pause():
                return time.sleep(step.seconds)

    def _note(self, step: Run, reply: Any) -> None:
        note = noting.note(step, reply)
        node = self._routes.owner(slot(note.keys[0])) if note else None
        if note and node:
            Line(self._nodes.pool(node)).tell(note, clock.now() + NOTE_PATIENCE)


class AsyncClusterLine:
    """``ClusterLine`` for a task."""

    def __init__(self, nodes: Nodes[AsyncPool]) -> None:
        self._nodes = nodes
        self._routes = nodes.routes
        self._line: AsyncLine | None = None
        self._node: Node | None = None

    async def run(self, step: Run) -> Any:
        reply = await self._drive(routed(step, self._routes, chance.shuffle))
        note = noting.note(step, reply)
        node = self._routes.owner(slot(note.keys[0])) if note else None
        if note and node:
            await AsyncLine(self._nodes.pool(node)).tell(note, clock.now() + NOTE_PATIENCE)
        return reply

    async def settle(self, step: Settle) -> None:
        if self._line and self._is_behind(step):
            return await self._line.settle(within_slot(step))
        last = Run(step.script, step.keys, step.args, clock.now() + step.patience, whole=True)
        return await in_the_background(self._last_word(last))

    async def _last_word(self, last: Run) -> None:
        line = AsyncClusterLine(self._nodes)
        try:
            await line._drive(routed(last, self._routes, chance.shuffle))
        except LockUnavailable as error:
            logger.debug("No reply to a last word: %r", error)
        finally:
            await line.hang_up()

    def _is_behind(self, step: Settle) -> bool:
        """Whether an unanswered call is on its way to the same node: a walk visits others too."""
        silent = self._line and self._line.silent
        return silent is not None and self._node == self._routes.owner(slot(step.keys[0]))

    async def hang_up(self) -> None:
        if self._line:
            await self._line.hang_up()

    async def _drive(self, flow: Flow[Any]) -> Any:
        try:
            step = next(flow)
            while True:
                try:
                    reply = await self._perform(step)
                except LockUnavailable as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(reply)
        except StopIteration as end:
            return end.value

    async def _perform(self, step: Step) -> Any:
        match step:
            case At():
                await self.hang_up()
                self._node = step.node
                self._line = AsyncLine(self._nodes.pool(step.node))
                return await self._line.run(step.run, asking=step.asking)
            case Survey():
                line = AsyncLine(self._nodes.pool(step.node))
                try:
                    return await line.survey(clock.now() + PATIENCE)
                finally:
                    await line.hang_up()
            case Pause():
                return await asyncio.sleep(step.seconds)
