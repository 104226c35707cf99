"""What becomes of calling a function, which says how to stand beside the call."""

import inspect
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import Any

from asgiref.sync import iscoroutinefunction

from .errors import PolicyError


class Kind(Enum):
    FUNCTION = auto()
    COROUTINE = auto()
    GENERATOR = auto()
    ASYNC_GENERATOR = auto()


def kind_of(function: Callable[..., Any]) -> Kind:
    """Of functions, methods and partials of them, and of objects by their ``__call__``."""
    function = _innermost(function)
    if not _is_plain(function):
        function = type(function).__call__
    if inspect.isasyncgenfunction(function):
        return Kind.ASYNC_GENERATOR
    if inspect.isgeneratorfunction(function):
        return Kind.GENERATOR
    return Kind.COROUTINE if iscoroutinefunction(function) else Kind.FUNCTION


def plain(name: str, value: object, *, of: str) -> Callable[..., Any]:
    """An option that is a function whose answer nobody has to wait for."""
    if not callable(value) or kind_of(value) is not Kind.FUNCTION:
        raise PolicyError(f"{name} must be a plain function of {of}, not {value!r}.")
    return value


def name_of(function: Callable[..., Any]) -> str:
    function = _innermost(function)
    named = function if _is_plain(function) else type(function)
    return f"{named.__module__}.{named.__qualname__}"


def _innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(function, partial):
        function = function.func
    return function


def _is_plain(function: Callable[..., Any]) -> bool:
    return inspect.isroutine(function) or isinstance(function, type)
