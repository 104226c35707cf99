"""One step of a flow on the wire: a connection taken, a command sent, its reply read.

This is the one place that knows redis-py's errors; they become ``LockUnavailable``.
"""

import asyncio
import logging
from collections.abc import Coroutine
from functools import lru_cache
from typing import Any

import redis
from redis.exceptions import (
    AskError,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    TryAgainError,
)

from . import clock
from .durability import Confirm
from .errors import Asked, ConnectionBroken, LockUnavailable, Moved, ScriptMissing, TryAgain
from .pools import AsyncPool, Pool
from .scripts import Script
from .steps import Run, Settle
from .wires import AsyncWire, Wire, pack

logger = logging.getLogger(__name__)

WORTH_A_RETRY = (ConnectionBroken, ScriptMissing)


def translated(error: Exception) -> LockUnavailable:
    match error:
        case NoScriptError():
            return ScriptMissing()
        case TimeoutError() | redis.TimeoutError():
            return LockUnavailable()
        case OSError() | redis.ConnectionError() | ReadOnlyError():
            # A replica means that the primary is another server by now.
            return ConnectionBroken()
        case MovedError():
            return Moved(error.node_addr)
        case AskError():
            return Asked(error.node_addr)
        case TryAgainError():
            return TryAgain()
        case _:
            return LockUnavailable()


ASKING, SURVEY = pack(("ASKING",)), pack(("CLUSTER", "SLOTS"))
# As many replies may be left unread on a connection.
UNREAD = 64


def packed(step: Run | Settle, *, whole: bool) -> bytes:
    args = pack(step.args)
    head = _head(step.script, whole, step.keys, len(step.args))
    # Without its first line, which counts the words of what would be a command of its own.
    return head + args[args.index(b"\n") + 1 :]


@lru_cache(4096)
def _head(script: Script, whole: bool, keys: tuple[str, ...], args: int) -> bytes:
    """All before the arguments, which is the same each time for one lock."""
    verb, text = ("EVAL", script.source) if whole else ("EVALSHA", script.sha)
    words = pack((verb, text, len(keys), *keys))
    return b"*%d%b" % (3 + len(keys) + args, words[words.index(b"\r") :])


def calls(step: Run, *, asking: bool) -> list[bytes]:
    made = [packed(step, whole=step.whole)]
    if asking:
        made.insert(0, ASKING)
    if step.confirm:
        made.append(pack(step.confirm.words))
    return made


def _answer(replies: list[Any], confirm: Confirm | None) -> Any:
    """The last reply; before a confirmation, whose errors are an answer too, both of them."""
    for reply in replies[:-1] if confirm else replies:
        if isinstance(reply, redis.RedisError):
            raise reply
    return replies[-2:] if confirm else replies[-1]


def _reply_or_failure(reply: Any) -> Any:
    return translated(reply) if isinstance(reply, redis.RedisError) else reply


class Line:
    """One flow's line to the store; knows the connection on which a reply is still due."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.silent: Wire | None = None

    def run(self, step: Run, *, asking: bool = False) -> Any:
        if asking or step.confirm:
            return self._exchange(calls(step, asking=asking), step.until, step.confirm)
        try:
            reply = self._call(packed(step, whole=step.whole), step.until)
        except (redis.RedisError, OSError) as error:
            raise self._failure(error) from error
        if isinstance(reply, redis.RedisError):
            raise self._failure(reply) from reply
        return reply

    def _call(self, packed: bytes, until: float | None) -> Any:
        """The reply to one call, which is what nearly all are."""
        if until is not None:
            until = self._impatience(until, None)
        wire = self._take(until)
        wire.send(packed)
        reply = wire.next(until) if wire.owed == 1 else wire.collect(1, until)[0]
        self._answered(wire)
        return reply

    def survey(self, until: float) -> Any:
        return self._exchange([SURVEY], until)

    def _exchange(
        self, calls: list[bytes], until: float | None, confirm: Confirm | None = None
    ) -> Any:
        try:
            return _answer(self._ask(calls, self._impatience(until, confirm)), confirm)
        except (redis.RedisError, OSError) as error:
            raise self._failure(error) from error

    def _ask(self, calls: list[bytes], until: float | None) -> list[Any]:
        wire = self._take(until)
        wire.send(b"".join(calls), len(calls))
        replies = wire.collect(len(calls), until)
        self._answered(wire)
        return replies

    def tell(self, step: Run, until: float) -> None:
        """Whoever takes the connection next passes over the reply."""
        try:
            wire = self._take(until)
            if wire.owed >= UNREAD:
                wire.collect(0, until)
            wire.send(packed(step, whole=True))
            self._answered(wire)
        except (redis.RedisError, OSError) as error:
            logger.debug("Not told: %r", error)
            self.hang_up()

    def _impatience(self, until: float | None, confirm: Confirm | None) -> float | None:
        """When to give up, unless that is when a connection does by itself."""
        limit = clock.now() + self.pool.timeout + (confirm.seconds if confirm else 0)
        return min(limit, until or limit) if confirm or (until and until < limit) else None

    def _take(self, until: float | None) -> Wire:
        # A flow may go on after a call that nobody answered.
        if self.silent:
            self.hang_up()
        left = self.pool.timeout if until is None else max(until - clock.now(), 0.001)
        self.silent = self.pool.take(left)
        return self.silent

    def _answered(self, wire: Wire) -> None:
        # In this order: who takes it from the pool must be its only user, whatever interrupts.
        self.silent = None
        self.pool.give(wire)

    def _failure(self, error: Exception) -> LockUnavailable:
        failure = translated(error)
        if isinstance(failure, ConnectionBroken):
            self.hang_up()
            self.pool.drop_idle()
        return failure

    def run_many(self, steps: list[Run]) -> list[Any]:
        """The reply to each, or its LockUnavailable: one send, one deadline, the earliest."""
        replies = self._pipelined(steps)
        again = [index for index, reply in enumerate(replies) if isinstance(reply, WORTH_A_RETRY)]
        if again:
            retried = self._pipelined([steps[index]._replace(whole=True) for index in again])
            for index, reply in zip(again, retried, strict=True):
                replies[index] = reply
        return replies

    def _pipelined(self, steps: list[Run]) -> list[Any]:
        limits = [step.until for step in steps if step.until is not None]
        until = min([clock.now() + self.pool.timeout, *limits])
        replies: list[Any] = []
        try:
            wire = self._take(until)
            wire.send(b"".join(packed(step, whole=step.whole) for step in steps), len(steps))
            wire.collect(0, until, leave=len(steps))
            replies.extend(_reply_or_failure(wire.next(until)) for _ in steps)
            self._answered(wire)
        except (redis.RedisError, OSError) as error:
            replies += [self._failure(error)] * (len(steps) - len(replies))
            self.hang_up()
        return replies

    def settle(self, step: Settle) -> None:
        until = clock.now() + step.patience
        try:
            wire = self._still_open() or self._take(until)
            wire.send(packed(step, whole=True))
            wire.collect(1, until)
            self._answered(wire)
        except (redis.RedisError, OSError) as error:
            logger.debug("No reply to a last word: %r", error)

    def _still_open(self) -> Wire | None:
        return self.silent if self.silent and self.silent.is_open else None

    def hang_up(self) -> None:
        if self.silent:
            self.silent.close()
            self.silent = None


class AsyncLine:
    """``Line`` for a task."""

    def __init__(self, pool: AsyncPool) -> None:
        self.pool = pool
        self.silent: AsyncWire | None = None

    async def run(self, step: Run, *, asking: bool = False) -> Any:
        return await self._exchange(calls(step, asking=asking), step.until, step.confirm)

    async def survey(self, until: float) -> Any:
        return await self._exchange([SURVEY], until)

    async def _exchange(
        self, calls: list[bytes], until: float | None, confirm: Confirm | None = None
    ) -> Any:
        left = self.pool.timeout + (confirm.seconds if confirm else 0)
        if until is not None:
            left = min(left, until - clock.now())
        try:
            async with asyncio.timeout(left), self.pool.slots:
                return _answer(await self._ask(calls), confirm)
        except (redis.RedisError, OSError) as error:
            raise await self._failure(error) from error

    async def _ask(self, calls: list[bytes]) -> list[Any]:
        await self.hang_up()
        wire = self.silent = await self.pool.take()
        wire.send(b"".join(calls), len(calls))
        replies = await wire.collect(len(calls))
        self._answered(wire)
        return replies

    async def tell(self, step: Run, until: float) -> None:
        try:
            async with asyncio.timeout(until - clock.now()):
                wire = self.silent = await self.pool.take()
                if wire.owed >= UNREAD:
                    await wire.collect(0)
                wire.send(packed(step, whole=True))
                self._answered(wire)
        except (redis.RedisError, OSError) as error:
            logger.debug("Not told: %r", error)
            await self.hang_up()

    def _answered(self, wire: AsyncWire) -> None:
        self.silent = None
        self.pool.give(wire)

    async def _failure(self, error: Exception) -> LockUnavailable:
        failure = translated(error)
        if isinstance(failure, ConnectionBroken):
            await self.hang_up()
            await self.pool.drop_idle()
        return failure

    async def settle(self, step: Settle) -> None:
        """Goes on by itself when the task is cancelled once more."""
        late, self.silent = self.silent, None
        await in_the_background(self._last_word(step, late))

    async def _last_word(self, step: Settle, late: AsyncWire | None) -> None:
        line = AsyncLine(self.pool)
        line.silent = late
        try:
            async with asyncio.timeout(step.patience):
                await line._say(step)
        except (redis.RedisError, OSError) as error:
            logger.debug("No reply to a last word: %r", error)
        finally:
            await line.hang_up()

    async def _say(self, step: Settle) -> None:
        wire = self.silent = self.silent or await self.pool.take()
        wire.send(packed(step, whole=True))
        await wire.collect(1)
        self._answered(wire)

    async def hang_up(self) -> None:
        if self.silent:
            await self.silent.close()
            self.silent = None


# The loop itself keeps only weak references to its tasks.
_background: set[asyncio.Task[None]] = set()


async def in_the_background(work: Coroutine[Any, Any, None]) -> None:
    """Waits for it; a cancellation ends the waiting, not the work."""
    task = asyncio.create_task(work)
    _background.add(task)
    task.add_done_callback(_background.discard)
    await asyncio.shield(task)
