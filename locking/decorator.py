"""``@locked``: a function that runs under a lock named after its arguments."""

import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
from string import Formatter
from typing import Any, Literal, ParamSpec, TypeVar, cast

from . import patterns
from .errors import LockBusy, LockInvalid
from .locks import Lock, lock

P = ParamSpec("P")
R = TypeVar("R")

OnBusy = Literal["raise", "skip"]


def locked(
    template: str, *, on_busy: OnBusy = "raise", **options: Any
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """``template`` is formatted with the call's arguments: ``@locked("invoice:{invoice_id}")``.

    ``options`` are those of ``lock()``. With ``on_busy="skip"`` a call that finds the lock held
    returns None without running the function.
    """
    if on_busy not in ("raise", "skip"):
        raise LockInvalid(f"on_busy must be 'raise' or 'skip', not {on_busy!r}.")

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = _checked(function, template)
        patterns.know(template)

        def lock_for(*args: P.args, **kwargs: P.kwargs) -> Lock:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            return lock(template.format(**bound.arguments), **options)

        if inspect.iscoroutinefunction(function):
            return cast(Callable[P, R], _async(function, lock_for, on_busy))
        return cast(Callable[P, R], _sync(function, lock_for, on_busy))

    return decorate


def _checked(function: Callable[..., Any], template: str) -> inspect.Signature:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise LockInvalid("A generator would run after its lock is released.")
    signature = inspect.signature(function)
    for name in _fields(template):
        if name.split(".")[0].split("[")[0] not in signature.parameters:
            raise LockInvalid(f"{function.__qualname__} has no argument {name!r} to name a lock.")
    return signature


def _fields(template: str) -> list[str]:
    try:
        return [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    except (TypeError, ValueError) as error:
        raise LockInvalid(f"{template!r} is no template: {error}.") from None


def _sync(
    function: Callable[P, R], lock_for: Callable[P, Lock], on_busy: OnBusy
) -> Callable[P, R | None]:
    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            lease = lock_for(*args, **kwargs).acquire()
        except LockBusy:
            if on_busy == "skip":
                return None
            raise
        with lease:
            return function(*args, **kwargs)

    return call


def _async(
    function: Callable[P, Awaitable[R]], lock_for: Callable[P, Lock], on_busy: OnBusy
) -> Callable[P, Awaitable[R | None]]:
    @wraps(function)
    async def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            lease = await lock_for(*args, **kwargs).aacquire()
        except LockBusy:
            if on_busy == "skip":
                return None
            raise
        async with lease:
            return await function(*args, **kwargs)

    return call
