"""One step of a flow on the wire: a connection taken, a command sent, its reply read."""

import logging
from typing import Any

import redis

from . import clock
from .calls import SURVEY, answer, calls, packed, reply_or_failure, translated
from .durability import Confirm
from .errors import ConnectionBroken, LockUnavailable, ScriptMissing
from .pools import Pool
from .signals import lock_store_failed, tell
from .steps import Run, Settle
from .wires import Wire

logger = logging.getLogger(__name__)

WORTH_A_RETRY = (ConnectionBroken, ScriptMissing)
OUT_OF_REACH = (ConnectionBroken, LockUnavailable)
# As many replies may be left unread on a connection.
UNREAD = 64


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
            return answer(self._ask(calls, self._impatience(until, confirm)), confirm)
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
        if type(failure) in OUT_OF_REACH:
            tell(lock_store_failed, Line, error=failure)
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
            replies.extend(reply_or_failure(wire.next(until)) for _ in steps)
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
