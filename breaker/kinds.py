"""What becomes of calling a function, which says how to stand beside the call."""

import inspect
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import Any

from asgiref.sync import iscoroutinefunction


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
