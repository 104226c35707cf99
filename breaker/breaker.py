"""One circuit as its callers see it: admission, the call, the verdict."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
)
from concurrent.futures import Future
from contextlib import asynccontextmanager
from os import getpid
from time import monotonic
from typing import Any, ParamSpec, TypeVar, overload
from weakref import finalize

from .admitted import Admitted, prolonged
from .agent import agent
from .beside import LAZY, Items, decorated
from .bounds import LONGEST
from .call import Call, TrialTooLong, trials
from .chance import uniform
from .circuit import State
from .classify import Outcome, Rules
from .errors import CircuitOpenError
from .names import canonical
from .offload import submit
from .options import Options, split
from .replica import Replica
from .snapshot import Snapshot
from .store import NO_REPORT, Report
from .streams import aeach, each
from .wording import described

P = ParamSpec("P")
T = TypeVar("T")

RETRY_TRIAL_AFTER = (0.05, 0.25)
"""Seconds to refuse unasked after the store had no permit: refused calls must not poll it."""


class Breaker:
    """Made by ``get_breaker``: one per name and process."""

    def __init__(self, name: str) -> None:
        self.name = canonical(name)
        self.replica = Replica(self.name)
        self.rules = Rules()
        self.options = Options()
        self._judges_results = False
        # Whoever calls it refers to it, so nothing can be counted after this.
        finalize(self, self.replica.leave)

    def configure(self, options: Options) -> None:
        """Raises PolicyError; the latest options given for a name apply to the whole process."""
        self.replica.options, self.rules = split(options)
        self.replica.said = True
        self.options = options
        self._judges_results = self.rules.judges_results

    @property
    def state(self) -> State:
        return self.replica.load().state

    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of ``function``; raises CircuitOpenError without having called it.

        A coroutine or a generator that it returns is still part of the call.
        """
        snapshot = self.replica.snapshot
        if not snapshot.admits or snapshot.slow_after or self._judges_results:
            if snapshot.refuses and (now := monotonic()) < snapshot.refuse_until:
                raise self._refusal(snapshot, now)
            return Admitted(self.allow()).call(function, *args, **kwargs)
        try:
            result = function(*args, **kwargs)
        except BaseException:
            with Call(self, snapshot):
                raise
        if type(result) in LAZY:
            return prolonged(Call(self, snapshot), result)
        try:
            next(snapshot.counts.ticks)
        except StopIteration:
            _refill(snapshot)
        return result

    async def acall(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """``call`` for a coroutine function; the event loop never waits for the store."""
        snapshot = self.replica.snapshot
        if not snapshot.admits or snapshot.slow_after or self._judges_results:
            if snapshot.refuses and (now := monotonic()) < snapshot.refuse_until:
                raise self._refusal(snapshot, now)
            call = await self.aallow()
            return await Admitted(call).acall(function, *args, **kwargs)
        try:
            result = await function(*args, **kwargs)
        except BaseException:
            async with Call(self, snapshot):
                raise
        if type(result) in LAZY:
            return prolonged(Call(self, snapshot), result)
        try:
            next(snapshot.counts.ticks)
        except StopIteration:
            _refill(snapshot)
        return result

    def items(
        self, function: Callable[..., Generator[Any, Any, Any]], /, *args: Any, **kwargs: Any
    ) -> Items:
        """A generator, as one call that ends well only with its last item."""
        return Admitted(self.allow()).items(function, *args, **kwargs)

    @asynccontextmanager
    async def aitems(
        self, function: Callable[..., AsyncGenerator[Any, Any]], /, *args: Any, **kwargs: Any
    ) -> AsyncIterator[AsyncGenerator[Any, Any]]:
        call = await self.aallow()
        async with Admitted(call).aitems(function, *args, **kwargs) as items:
            yield items

    def allow(self) -> Call:
        """Admit one call, or raise CircuitOpenError; the caller owes the Call a verdict."""
        snapshot = self.replica.snapshot
        if not snapshot.loaded:
            snapshot = self.replica.load()
        if snapshot.admits or self._is_inside(snapshot):
            return Call(self, snapshot)
        now = monotonic()
        if now < snapshot.refuse_until:
            raise self._refusal(snapshot, now)
        return self._try()

    def _is_inside(self, snapshot: Snapshot) -> bool:
        """Whether the caller is inside a trial of this very circuit, and so a part of it."""
        if snapshot.word != State.HALF_OPEN:
            return False
        return any(token in self.replica.trials for token in trials())

    async def aallow(self) -> Call:
        snapshot = self.replica.snapshot
        if snapshot.loaded and (
            snapshot.admits or monotonic() < snapshot.refuse_until or self._is_inside(snapshot)
        ):
            return self.allow()
        pending = submit(self.allow)
        try:
            return await asyncio.shield(asyncio.wrap_future(pending))
        except asyncio.CancelledError:
            pending.add_done_callback(_give_back)
            raise

    def _try(self) -> Call:
        snapshot, token = self.replica.try_()
        if snapshot.admits:
            return Call(self, snapshot)
        if not token:
            raise self._no_permit(snapshot)
        longest = self.replica.policy.half_open_timeout
        call = self.replica.trials[token] = Call(self, snapshot, token, longest=longest)
        return call

    def _no_permit(self, snapshot: Snapshot) -> CircuitOpenError:
        now = monotonic()
        if snapshot.state is State.HALF_OPEN:
            snapshot.refuse_until = now + uniform(*RETRY_TRIAL_AFTER)
        return self._refusal(snapshot, now)

    def _refusal(self, snapshot: Snapshot, now: float) -> CircuitOpenError:
        self.replica.refusals.append(None)
        wait = snapshot.refuse_until - now
        if wait > LONGEST:
            wait = snapshot.patience
        return CircuitOpenError(
            self.name, wait if wait > 0 else 0.0, snapshot.word, snapshot.seed.last_error
        )

    @overload
    def guard_stream(self, items: AsyncIterable[T]) -> AsyncGenerator[T, None]: ...
    @overload
    def guard_stream(self, items: Iterable[T]) -> Generator[T, None, None]: ...
    def guard_stream(self, items: Any) -> Any:
        """The same items, as one call that ends well only when all of them have come."""
        match items:
            case AsyncIterable():
                return decorated(self, aeach)(items)
            case Iterable():
                return decorated(self, each)(items)
        raise TypeError(f"A stream is an iterable, async or not, and not {items!r}.")

    def settle(self, call: Call, outcome: Outcome, end: object) -> None:
        """Count the verdict on an admitted call; used by ``Call``, once."""
        if outcome is Outcome.OK and not call.token:
            _succeed(call.snapshot)
        elif call.snapshot.counts.process != getpid():
            return  # in a child forked meanwhile: the process that admitted it will judge it
        elif call.token:
            self.replica.end_trial(call, outcome, self._report(outcome, end))
        elif outcome is not Outcome.NEUTRAL:
            self.replica.fail(call.snapshot, outcome, self._report(outcome, end))

    def _report(self, outcome: Outcome, end: object) -> Report:
        if outcome in (Outcome.OK, Outcome.NEUTRAL):
            return NO_REPORT
        # Nobody asked for anything by our own losing patience: no rule of the user's is asked.
        wait = 0.0 if type(end) is TrialTooLong else self.rules.wait(end)
        return Report(int(wait * 1000), described(end))


def _succeed(snapshot: Snapshot) -> None:
    try:
        next(snapshot.counts.ticks)
    except StopIteration:
        _refill(snapshot)


def _refill(snapshot: Snapshot) -> None:
    snapshot.counts.refill()
    agent.ring()


def _give_back(pending: "Future[Call]") -> None:
    if not pending.exception():
        pending.result().neutral()
