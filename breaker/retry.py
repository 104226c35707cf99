"""Another attempt, where there is hope and a budget for it.

It stands outside the breaker, so that each attempt is an outcome of its own and a refusal ends
the attempts: retry( bulkhead( breaker( time limit( call )))).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing, closing
from functools import partial
from time import monotonic, sleep
from types import CoroutineType
from typing import Any, NamedTuple, ParamSpec, TypedDict, TypeVar, Unpack, cast, overload

from .backoff import Backoff
from .beside import AsyncItems, Items, decorated
from .bounds import exceptions
from .budget import RetryBudget, checked, shared_budget
from .chance import uniform
from .classify import Classify, Outcome, RecordResult, RetryAfter, Rules, is_a
from .deadline import ends_at
from .kinds import name_of
from .names import canonical
from .restarts import AsyncRestarted, Restarted

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
T = TypeVar("T")

TROUBLE = (Outcome.FAILURE, Outcome.THROTTLED)
logger = logging.getLogger(__name__)


class RetryOptions(TypedDict, total=False):
    """See ``Backoff``, ``Rules`` and ``Retry``."""

    attempts: int
    delay: float
    throttled_delay: float
    max_delay: float
    ignore: tuple[type[Exception], ...]
    record: tuple[type[Exception], ...]
    record_result: RecordResult | None
    classify: Classify | None
    retry_after: RetryAfter
    on: tuple[type[Exception], ...]
    budget: RetryBudget


class Attempt(NamedTuple):
    number: int
    wait: float
    """Seconds before it."""
    price: int
    """In tokens of the budget, which gets them back if it goes well."""


FIRST = Attempt(1, 0.0, 0)


@overload
def retry(name: F, /, **options: Unpack[RetryOptions]) -> F: ...
@overload
def retry(name: str = "", /, **options: Unpack[RetryOptions]) -> "Retry": ...
def retry(name: Any = "", /, **options: Unpack[RetryOptions]) -> Any:
    """Call again what has failed, by the same rules by which a circuit counts failures.

    Only for calls that may be made twice: after a time-out or a broken connection nobody knows
    whether the first one did its work. Send an idempotency key along, or retry only ``on`` the
    errors that tell.

    All that retry under one ``name``, by default the function's own, share a budget. Not retried
    is what a circuit or a bulkhead refuses, and what could not begin within the time limit around
    it. The result or the exception of the last attempt is the caller's, unchanged. A generator
    begins anew only as long as its first item has not come.

    Raises PolicyError and CircuitNameError.
    """
    if not isinstance(name, str):
        return retry(**options)(name)
    given: dict[str, Any] = dict(options)
    backoff = {key: given.pop(key) for key in Backoff.__slots__ if key in given}
    own = {key: given.pop(key) for key in ("on", "budget") if key in given}
    return Retry(name, Backoff(**backoff), Rules(**given), **own)


class Retry:
    """Keeps nothing of a call, so any number may share it."""

    def __init__(
        self,
        name: str,
        backoff: Backoff,
        rules: Rules,
        *,
        on: tuple[type[Exception], ...] = (Exception,),
        budget: RetryBudget | None = None,
    ) -> None:
        """``on``: of what the rules call a failure, only these exceptions."""
        self.name = name and canonical(name)
        self.backoff = backoff
        self.rules = rules
        self._judges = rules.judges_results
        self.on = exceptions("on", on)
        self._own_budget = None if budget is None else checked("budget", budget)
        self.budget = self._own_budget or (shared_budget(self.name) if name else RetryBudget())

    def __call__(self, function: F) -> F:
        return decorated(self._named_after(function), function)

    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """A coroutine that ``function`` hands on is tried again by asking for another."""
        attempt = FIRST
        while True:
            try:
                result = function(*args, **kwargs)
            except Exception as error:
                another = self._after(error, self.rules.outcome(error), attempt)
                if another is None:
                    raise
            else:
                if type(result) is CoroutineType:
                    handed: Any = self.acall(_from(result, function), *args, **kwargs)
                    return cast(T, handed)
                another = self._after_result(result, attempt)
                if another is None:
                    return result
            # Outside the handler, lest the next exception carry this one as its context.
            attempt = another
            sleep(attempt.wait)

    async def acall(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        attempt = FIRST
        while True:
            try:
                result = await function(*args, **kwargs)
            except Exception as error:
                another = self._after(error, self.rules.outcome(error), attempt)
                if another is None:
                    raise
            else:
                another = self._after_result(result, attempt)
                if another is None:
                    return result
            attempt = another
            await asyncio.sleep(attempt.wait)

    def items(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Items:
        return closing(Restarted(self.call, partial(function, *args, **kwargs)))

    def aitems(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> AsyncItems:
        return aclosing(AsyncRestarted(self.acall, partial(function, *args, **kwargs)))

    def another(
        self, end: object, outcome: Outcome, attempt: Attempt, *, time_left: float, random: float
    ) -> Attempt | None:
        """The attempt to make after one that ended so, paid for; ``random`` is from 0 to 1."""
        if outcome not in TROUBLE or not self._hopeful(end):
            return None
        wait = self.backoff.wait(
            attempt.number,
            throttled=outcome is Outcome.THROTTLED,
            asked=self.rules.wait(end),
            random=random,
        )
        if wait is None or wait >= time_left:
            return None
        price = self.budget.timeout_price if is_a(end, TimeoutError) else self.budget.price
        return Attempt(attempt.number + 1, wait, price) if self.budget.spend(price) else None

    def _hopeful(self, end: object) -> bool:
        if is_a(end, StopIteration, StopAsyncIteration):
            return False  # an answer like any other: there are no items
        return is_a(end, *self.on) or not is_a(end, BaseException)

    def _after(self, end: object, outcome: Outcome, attempt: Attempt) -> Attempt | None:
        time_left, random = ends_at() - monotonic(), uniform(0, 1)
        another = self.another(end, outcome, attempt, time_left=time_left, random=random)
        if another:
            # Not the message of the error, which may tell secrets.
            kind, name = type(end).__name__, self.name or "a call without a name"
            told = (attempt.number, name, kind, another.wait)
            logger.info("Attempt %d at %s ended in %s; the next comes in %.3f s", *told)
        return another

    def _after_result(self, result: object, attempt: Attempt) -> Attempt | None:
        outcome = self.rules.outcome(result) if self._judges else Outcome.OK
        if outcome is not Outcome.OK:
            return self._after(result, outcome, attempt)
        self.budget.earn(attempt.price)
        return None

    def _named_after(self, function: Callable[..., Any]) -> "Retry":
        if self.name:
            return self
        name, budget = name_of(function), self._own_budget
        return Retry(name, self.backoff, self.rules, on=self.on, budget=budget)


def _from(first: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, of which the first result is there already."""
    ready = [first]
    return lambda *args, **kwargs: ready.pop() if ready else function(*args, **kwargs)
