"""Long lists, read forwards a page at a time."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from .errors import CommandInvalid

T = TypeVar("T")
LONGEST_PAGE = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[T]):
    rows: Sequence[T]
    following: str | None
    """The cursor of the next page; None on the last."""


def bounded(limit: int) -> int:
    if not 1 <= limit <= LONGEST_PAGE:
        raise CommandInvalid(f"limit must be from 1 to {LONGEST_PAGE}.")
    return limit


def cursor_of(key: str) -> str:
    """Rows after ``key``, in whatever order the list has."""
    return urlsafe_b64encode(key.encode()).decode().rstrip("=")


def key_of(cursor: str) -> str:
    """Raises CommandInvalid."""
    try:
        return b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
    except ValueError:
        raise CommandInvalid("There is no such page.") from None
