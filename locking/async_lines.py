"""``lines`` for tasks."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import redis

from . import clock
from .calls import SURVEY, answer, calls, packed, translated
from .durability import Confirm
from .errors import ConnectionBroken, LockUnavailable
from .lines import OUT_OF_REACH, UNREAD
from .pools import AsyncPool
from .signals import lock_store_failed, tell
from .steps import Run, Settle
from .wires import AsyncWire

logger = logging.getLogger(__name__)


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
                return answer(await self._ask(calls), confirm)
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
        finally:
            await self.hang_up()

    def _answered(self, wire: AsyncWire) -> None:
        self.silent = None
        self.pool.give(wire)

    async def _failure(self, error: Exception) -> LockUnavailable:
        failure = translated(error)
        if isinstance(failure, ConnectionBroken):
            await self.hang_up()
            await self.pool.drop_idle()
        if type(failure) in OUT_OF_REACH:
            tell(lock_store_failed, AsyncLine, error=failure)
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
