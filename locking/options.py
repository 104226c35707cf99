"""What a caller may pass besides names and durations, checked before anything is sent."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from django.conf import settings

from .errors import LockInvalid
from .targets import target

C = TypeVar("C", bound=Callable[..., object])

# The store computes fences as doubles, whose integers are exact up to here.
LARGEST_FENCE = 2**53 - 1
# With fewer servers there is no majority that outlives the loss of one.
FEWEST_SERVERS = 3


def flag(what: str, value: bool) -> bool:
    if type(value) is not bool:
        raise LockInvalid(f"{what} must be True or False, not {type(value).__name__}.")
    return value


def function(what: str, value: C) -> C:
    if not callable(value):
        raise LockInvalid(f"{what} must be callable, not {type(value).__name__}.")
    return value


def fence_floor(value: int) -> int:
    if type(value) is not int or not 0 <= value < LARGEST_FENCE:
        raise LockInvalid(f"floor must be a fence, an integer from 0 to {LARGEST_FENCE - 1}.")
    return value


def quorum(caches: Sequence[str]) -> tuple[str, ...]:
    """Aliases of servers that can be counted one by one."""
    if isinstance(caches, str):
        raise LockInvalid("caches must be a list of aliases, not str.")
    if len(set(caches)) < max(len(caches), FEWEST_SERVERS):
        raise LockInvalid(f"caches must be {FEWEST_SERVERS} or more different aliases.")
    for alias in caches:
        if alias not in settings.CACHES:
            raise LockInvalid(f"caches: there is no cache {alias!r}.")
    _refuse_twins(caches)
    return tuple(caches)


def _refuse_twins(caches: Sequence[str]) -> None:
    found: dict[object, str] = {}
    for alias in caches:
        twin = found.setdefault(target(alias).place, alias)
        if twin != alias:
            raise LockInvalid(f"caches: {twin!r} and {alias!r} are the same server and database.")
