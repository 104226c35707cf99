"""One step of a flow on the wire: a connection taken, a command sent, its reply read.

This is the one place that knows redis-py's errors; they become ``LockUnavailable``.
"""

import asyncio
import logging
from typing import Any

import hiredis
import redis
from redis.exceptions import NoScriptError

from . import clock, connections
from .errors import ConnectionBroken, LockUnavailable, ScriptMissing
from .flows import Run, Settle

logger = logging.getLogger(__name__)

DEMOTED_OR_DEAD = (redis.ConnectionError, redis.exceptions.ReadOnlyError)
WORTH_A_RETRY = (ConnectionBroken, ScriptMissing)


def translated(error: redis.RedisError | TimeoutError) -> LockUnavailable:
    match error:
        case NoScriptError():
            return ScriptMissing()
        case redis.ConnectionError():
            return ConnectionBroken()
        case _:
            return LockUnavailable()


def _packed(step: Run | Settle, *, whole: bool) -> list[bytes]:
    script = step.script
    verb, text = ("EVAL", script.source) if whole else ("EVALSHA", script.sha)
    command = (verb, text, len(step.keys), *step.keys, *step.args)
    return [hiredis.pack_command(command)]  # type: ignore[arg-type]  # stub: a tuple of one


class Line:
    """One flow's line to the store; knows the connection on which a reply is still due."""

    def __init__(self, pool: connections.Pool) -> None:
        self.pool = pool
        self.silent: Any = None

    def run(self, step: Run) -> Any:
        until = self._impatience(step)
        try:
            return self._ask(step, until)
        except DEMOTED_OR_DEAD as error:
            self.hang_up()
            self.pool.drop_idle()
            raise translated(error) from error
        except redis.RedisError as error:
            raise translated(error) from error

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
        until = min((step.until for step in steps if step.until is not None), default=None)
        replies: list[Any] = []
        try:
            connection = self.silent = self.pool.take(_left(until) or self.pool.timeout)
            packed = b"".join(part for step in steps for part in _packed(step, whole=step.whole))
            connection.send_packed_command([packed], check_health=False)
            for _ in steps:
                replies.append(_reply_or_error(connection, until))
            self._answered()
        except redis.RedisError as error:
            self.hang_up()
            self.pool.drop_idle()
            replies += [translated(error)] * (len(steps) - len(replies))
        return replies

    def _impatience(self, step: Run) -> float | None:
        """When to give up, if that is sooner than a connection does by itself."""
        sooner = step.until is not None and step.until < clock.now() + self.pool.timeout
        return step.until if sooner else None

    def _ask(self, step: Run, until: float | None) -> Any:
        connection = self.silent = self.pool.take(_left(until) or self.pool.timeout)
        connection.send_packed_command(_packed(step, whole=step.whole), check_health=False)
        try:
            reply = _read(connection, until)
        except redis.ResponseError:
            self._answered()
            raise
        self._answered()
        return reply

    def _answered(self) -> None:
        self.pool.give(self.silent)
        self.silent = None

    def settle(self, step: Settle) -> None:
        until = clock.now() + step.patience
        late = self.silent
        try:
            connection = self.silent = late or self.pool.take(step.patience)
            connection.send_packed_command(_packed(step, whole=True), check_health=False)
            if late:
                _read(connection, until)
            _read(connection, until)
            self._answered()
        except redis.RedisError as error:
            logger.debug("No reply to a last word: %r", error)

    def hang_up(self) -> None:
        if self.silent:
            self.silent.disconnect()
            self.silent = None


def _left(until: float | None) -> float | None:
    return None if until is None else max(until - clock.now(), 0.001)


def _read(connection: Any, until: float | None) -> Any:
    timeout = {} if until is None else {"timeout": _left(until)}
    return connection.read_response(disable_decoding=True, disconnect_on_error=False, **timeout)


def _reply_or_error(connection: Any, until: float | None) -> Any:
    try:
        return _read(connection, until)
    except redis.ResponseError as error:
        return translated(error)


class AsyncLine:
    """``Line`` for a task."""

    def __init__(self, pool: connections.AsyncPool) -> None:
        self.pool = pool
        self.silent: Any = None

    async def run(self, step: Run) -> Any:
        left = self.pool.timeout
        if step.until is not None:
            left = min(left, step.until - clock.now())
        try:
            async with asyncio.timeout(left), self.pool.slots:
                return await self._ask(step)
        except DEMOTED_OR_DEAD as error:
            await self.hang_up()
            await self.pool.drop_idle()
            raise translated(error) from error
        except (redis.RedisError, TimeoutError) as error:
            raise translated(error) from error

    async def _ask(self, step: Run) -> Any:
        connection = self.silent = await self.pool.take()
        await connection.send_packed_command(_packed(step, whole=step.whole), check_health=False)
        try:
            reply = await _aread(connection)
        except redis.ResponseError:
            self._answered()
            raise
        self._answered()
        return reply

    def _answered(self) -> None:
        self.pool.give(self.silent)
        self.silent = None

    async def settle(self, step: Settle) -> None:
        """Goes on by itself when the task is cancelled once more."""
        late, self.silent = self.silent, None
        task = asyncio.create_task(self._last_word(step, late))
        _last_words.add(task)
        task.add_done_callback(_last_words.discard)
        await asyncio.shield(task)

    async def _last_word(self, step: Settle, late: Any) -> None:
        line = AsyncLine(self.pool)
        line.silent = late
        try:
            async with asyncio.timeout(step.patience):
                await line._say(step)
        except (redis.RedisError, TimeoutError) as error:
            logger.debug("No reply to a last word: %r", error)
        finally:
            await line.hang_up()

    async def _say(self, step: Settle) -> None:
        late = self.silent
        connection = self.silent = late or await self.pool.take()
        await connection.send_packed_command(_packed(step, whole=True), check_health=False)
        if late:
            await _aread(connection)
        await _aread(connection)
        self._answered()

    async def hang_up(self) -> None:
        if self.silent:
            await self.silent.disconnect(nowait=True)
            self.silent = None


async def _aread(connection: Any) -> Any:
    return await connection.read_response(disable_decoding=True, disconnect_on_error=False)


# The loop itself keeps only weak references to its tasks.
_last_words: set[asyncio.Task[None]] = set()
