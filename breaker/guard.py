"""``circuit_breaker``: the decorator and the context manager."""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, Unpack, overload

from .beside import AsyncItems, Items, Part, check_decorable, decorated
from .breaker import Breaker
from .call import Call
from .fallback import Fallback, WithFallback, checked, fitting
from .kinds import name_of, plain
from .names import OVERFLOW, canonical
from .options import Options, split
from .registry import declared_breaker, get_breaker, keyed_breaker

F = TypeVar("F", bound=Callable[..., Any])
Key = Callable[..., str]
P = ParamSpec("P")
T = TypeVar("T")


@overload
def circuit_breaker(
    name: F,
    /,
    *,
    key: Key | None = None,
    fallback: Fallback | None = None,
    **options: Unpack[Options],
) -> F: ...
@overload
def circuit_breaker(
    name: str = "",
    /,
    *,
    key: Key | None = None,
    fallback: Fallback | None = None,
    **options: Unpack[Options],
) -> "Guard": ...
def circuit_breaker(
    name: Any = "",
    /,
    *,
    key: Key | None = None,
    fallback: Fallback | None = None,
    **options: Unpack[Options],
) -> Any:
    """Guard a function, or the body of a ``with``, by the circuit ``name``.

    Without a name it is the function's own. ``key`` gets the arguments of each call and names
    one circuit per value, ``name:value``; see ``registry`` for what bounds their number.
    ``fallback`` gets the arguments of a call that is refused, and answers in its place.

    Raises PolicyError and CircuitNameError.
    """
    if not isinstance(name, str):
        return Guard("", key, fallback, options)(name)
    return Guard(name, key, fallback, options)


class Guard:
    """A decorator for any number of functions, or a context manager for one use at a time."""

    def __init__(
        self, name: str, key: Key | None, fallback: Fallback | None, options: Options
    ) -> None:
        split(options)  # a bad option is refused where it is written
        self.name = name
        self.key = None if key is None else plain("key", key, of="the call's arguments")
        self.fallback = checked(fallback)
        self.options = options
        self._call: Call | None = None

    def __call__(self, function: F) -> F:
        if isinstance(function, classmethod | staticmethod):
            return type(function)(self(function.__func__))
        check_decorable(function)
        if self.fallback is None:
            return decorated(self._part(function), function)
        fallback = fitting(self.fallback, function)
        return decorated(WithFallback(self._part(function), fallback), function)

    def _part(self, function: Callable[..., Any]) -> Part:
        name = self.name or name_of(function)
        if self.key is None:
            return declared_breaker(name, self.options)
        return Keyed(name, self.key, self.options)

    def _breaker(self) -> Breaker:
        decorates = (self.key, self.fallback) != (None, None)
        if not self.name or decorates or self._call:
            raise TypeError(
                "As a context manager a circuit_breaker has a name, no key, no fallback, "
                "and one use at a time."
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


class Keyed:
    """A circuit for each value that ``key`` makes of a call's arguments."""

    def __init__(self, name: str, key: Key, options: Options) -> None:
        self._name = name
        self._key = key
        self._options = options
        self._overflow = canonical(f"{name}:{OVERFLOW}")

    def _of(self, args: Any, kwargs: Any) -> Breaker:
        name = f"{self._name}:{self._key(*args, **kwargs)}"
        return keyed_breaker(name, self._options, overflow=self._overflow)

    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._of(args, kwargs).call(function, *args, **kwargs)

    async def acall(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._of(args, kwargs).acall(function, *args, **kwargs)

    def items(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Items:
        return self._of(args, kwargs).items(function, *args, **kwargs)

    def aitems(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> AsyncItems:
        return self._of(args, kwargs).aitems(function, *args, **kwargs)
