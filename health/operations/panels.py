"""A table on the page, as values: what it is called, who may see it, and what is in it now."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from health.engine.snapshot import Snapshot
from health.verdict import Status

MOST_ROWS = 50


class Form(StrEnum):
    """What the cells of a column are."""

    TEXT = "text"
    NUMBER = "number"
    SHARE = "share"
    SINCE = "since"
    """A moment that has passed."""
    UNTIL = "until"
    """A moment to come."""


Cell = str | float | datetime | None
Column = tuple[str, Form]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """``word`` is the state in the app's own words, ``href`` leads to what else is known."""

    status: Status
    word: str
    name: str
    href: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    rows: tuple[Row, ...] = ()
    more: bool = False
    """There are rows that are not here."""
    trouble: str = ""
    """Why what is here may be less than the truth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    name: str
    title: str
    subject: str
    """What a row is."""
    columns: tuple[Column, ...]
    permissions: tuple[str, ...]
    """Any of these lets a user see it."""
    everything: str
    """Where all of it is: the name of a URL."""
    calm: str
    """What an empty panel means."""
    look: Callable[[Snapshot], Listing]
    announced: bool = True
    """Whether a new state is read out: rows of a log have none."""
