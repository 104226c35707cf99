"""``circuit_breaker``: the decorator and the context manager."""

import inspect
from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import Any, TypeVar, Unpack, cast, overload

from .breaker import Breaker
from .call import Call
from .names import OVERFLOW, canonical
from .options import Options, split
from .registry import get_breaker, keyed_breaker
from .streams import guarded_async_generator, guarded_generator

F = TypeVar("F", bound=Callable[..., Any])
Key = Callable[..., str]
Find = Callable[..., Breaker]


@overload
def circuit_breaker(name: F, /) -> F: ...
@overload
def circuit_breaker(
    name: str = "", /, *, key: Key | None = None, **options: Unpack[Options]
) -> "Guard": ...
def circuit_breaker(
    name: Any = "", /, *, key: Key | None = None, **options: Unpack[Options]
) -> Any:
    """Guard a function, or the body of a ``with``, by the circuit ``name``.

    Without a name it is the function's own. ``key`` gets the arguments of each call and names
    one circuit per value, ``name:value``; see ``registry`` for what bounds their number.
    """
    if callable(name):
        return Guard("", None, {})(name)
    return Guard(name, key, options)


class Guard:
    """A decorator for any number of functions, or a context manager for one use at a time."""

    def __init__(self, name: str, key: Key | None, options: Options) -> None:
        split(options)  # a bad option is refused where it is written
        self.name = name
        self.key = key
        self.options = options
        self._call: Call | None = None

    def __call__(self, function: F) -> F:
        name = self.name or f"{function.__module__}.{function.__qualname__}"
        return cast(F, _guarded(self._finder(name), function))

    def _finder(self, name: str) -> Find:
        if (key := self.key) is None:
            breaker = get_breaker(name, **self.options)
            return lambda *args, **kwargs: breaker
        options, overflow = self.options, canonical(f"{name}:{OVERFLOW}")
        return lambda *args, **kwargs: keyed_breaker(
            f"{name}:{key(*args, **kwargs)}", options, overflow=overflow
        )

    def _breaker(self) -> Breaker:
        if not self.name or self.key or self._call:
            raise TypeError(
                "As a context manager a circuit_breaker has a name, no key, and one use at a time."
            )
        return get_breaker(self.name, **self.options)

    def __enter__(self) -> Call:
        self._call = self._breaker().allow()
        return self._call.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        call, self._call = self._call, None
        if call:
            call.__exit__(kind, error, traceback)

    async def __aenter__(self) -> Call:
        self._call = await self._breaker().aallow()
        return await self._call.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        call, self._call = self._call, None
        if call:
            await call.__aexit__(kind, error, traceback)


def _guarded(find: Find, function: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.isasyncgenfunction(function):
        return guarded_async_generator(find, function)
    if inspect.isgeneratorfunction(function):
        return guarded_generator(find, function)
    if inspect.iscoroutinefunction(function):
        return _guarded_coroutine(find, function)
    return _guarded_function(find, function)


def _guarded_coroutine(find: Find, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        return await find(*args, **kwargs).acall(function, *args, **kwargs)

    return guarded


def _guarded_function(find: Find, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        return find(*args, **kwargs).call(function, *args, **kwargs)

    return guarded
