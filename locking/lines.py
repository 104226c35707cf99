"""One step of a flow on the wire: a connection taken, a command sent, its reply read.

This is the one place that knows redis-py's errors; they become ``LockUnavailable``.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import hiredis
import redis
from redis.exceptions import NoScriptError, ReadOnlyError

from . import clock, connections
from .errors import ConnectionBroken, LockUnavailable, ScriptMissing
from .flows import Run, Settle
from .wires import AsyncWire, Wire

logger = logging.getLogger(__name__)

WORTH_A_RETRY = (ConnectionBroken, ScriptMissing)


def translated(error: Exception) -> LockUnavailable:
    # redis-py keeps an error in a frame of its own traceback: a circle around the caller's leases.
    error.__traceback__ = None
    match error:
        case NoScriptError():
            return ScriptMissing()
        case TimeoutError() | redis.TimeoutError():
            return LockUnavailable()
        case OSError() | redis.ConnectionError() | ReadOnlyError():
            # A replica means that the primary is another server by now.
            return ConnectionBroken()
        case _:
            return LockUnavailable()


def packed(step: Run | Settle, *, whole: bool) -> bytes:
    script = step.script
    verb, text = ("EVAL", script.source) if whole else ("EVALSHA", script.sha)
    command = (verb, text, len(step.keys), *step.keys, *step.args)
    pack: Callable[[Any], bytes] = hiredis.pack_command  # whose stub knows only tuples of one
    return pack(command)


def _value(reply: Any) -> Any:
    if isinstance(reply, redis.RedisError):
        raise reply
    return reply


def _reply_or_failure(reply: Any) -> Any:
    return translated(reply) if isinstance(reply, redis.RedisError) else reply


class Line:
    """One flow's line to the store; knows the connection on which a reply is still due."""

    def __init__(self, pool: connections.Pool) -> None:
        self.pool = pool
        self.silent: Wire | None = None

    def run(self, step: Run) -> Any:
        try:
            return _value(self._ask(step))
        except (redis.RedisError, OSError) as error:
            raise self._failure(error) from error

    def _ask(self, step: Run) -> Any:
        until = self._impatience(step.until)
        wire = self._take(until)
        wire.send(packed(step, whole=step.whole))
        reply = wire.last(until)
        self._answered(wire)
        return reply

    def _impatience(self, until: float | None) -> float | None:
        """When to give up, if that is sooner than a connection does by itself."""
        return until if until is not None and until < clock.now() + self.pool.timeout else None

    def _take(self, until: float | None) -> Wire:
        left = self.pool.timeout if until is None else max(until - clock.now(), 0.001)
        self.silent = self.pool.take(left)
        return self.silent

    def _answered(self, wire: Wire) -> None:
        self.pool.give(wire)
        self.silent = None

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
            while wire.owed > len(steps):
                wire.next(until)
            replies.extend(_reply_or_failure(wire.next(until)) for _ in steps)
            self._answered(wire)
        except (redis.RedisError, OSError) as error:
            replies += [self._failure(error)] * (len(steps) - len(replies))
            self.hang_up()
        return replies

    def settle(self, step: Settle) -> None:
        until = clock.now() + step.patience
        try:
            wire = self.silent or self._take(until)
            wire.send(packed(step, whole=True))
            wire.last(until)
            self._answered(wire)
        except (redis.RedisError, OSError) as error:
            logger.debug("No reply to a last word: %r", error)

    def hang_up(self) -> None:
        if self.silent:
            self.silent.close()
            self.silent = None


class AsyncLine:
    """``Line`` for a task."""

    def __init__(self, pool: connections.AsyncPool) -> None:
        self.pool = pool
        self.silent: AsyncWire | None = None

    async def run(self, step: Run) -> Any:
        left = self.pool.timeout
        if step.until is not None:
            left = min(left, step.until - clock.now())
        try:
            async with asyncio.timeout(left), self.pool.slots:
                return _value(await self._ask(step))
        except (redis.RedisError, OSError) as error:
            raise await self._failure(error) from error

    async def _ask(self, step: Run) -> Any:
        wire = self.silent = await self.pool.take()
        wire.send(packed(step, whole=step.whole))
        reply = await wire.last()
        self._answered(wire)
        return reply

    def _answered(self, wire: AsyncWire) -> None:
        self.pool.give(wire)
        self.silent = None

    async def _failure(self, error: Exception) -> LockUnavailable:
        failure = translated(error)
        if isinstance(failure, ConnectionBroken):
            await self.hang_up()
            await self.pool.drop_idle()
        return failure

    async def settle(self, step: Settle) -> None:
        """Goes on by itself when the task is cancelled once more."""
        late, self.silent = self.silent, None
        task = asyncio.create_task(self._last_word(step, late))
        _last_words.add(task)
        task.add_done_callback(_last_words.discard)
        await asyncio.shield(task)

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
        await wire.last()
        self._answered(wire)

    async def hang_up(self) -> None:
        if self.silent:
            await self.silent.close()
            self.silent = None


# The loop itself keeps only weak references to its tasks.
_last_words: set[asyncio.Task[None]] = set()
