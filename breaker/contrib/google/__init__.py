"""Imagen, Veo and Gemini behind circuit breakers, and the generations API over them.

    from breaker.contrib.google import imagen, veo, vertex

The three are imported at their first use, because the SDK takes half a second: whoever only checks
settings or migrates a database must not wait for it.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import imagen, veo, vertex

__all__ = ["imagen", "veo", "vertex"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
