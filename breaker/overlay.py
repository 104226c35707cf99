"""Options given at run time, over those of setting and code."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from . import patterns
from .errors import PolicyError
from .options import check_values
from .policy import Policy

logger = logging.getLogger(__name__)
Row = tuple[str, Mapping[str, Any]]
"""A pattern, and options of a policy."""


class Overlay:
    """What some rows say; it never changes."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows = tuple(rows)
        self._refused: set[tuple[str, ...]] = set()

    def of(self, name: str) -> dict[str, Any]:
        """The options of all patterns that match; of two the more specific wins."""
        merged: dict[str, Any] = {}
        for _, options in self._matching(name):
            merged |= options
        return merged

    def policy(self, name: str, policy: Policy) -> Policy:
        """``policy`` with the options for the name; raises PolicyError if it cannot have them."""
        options = self.of(name)
        return replace(policy, **options) if options else policy

    def tolerant_policy(self, name: str, policy: Policy) -> Policy:
        """``policy``, and no exception: callers must not suffer from a mistake in a row."""
        try:
            return self.policy(name, policy)
        except PolicyError as error:
            self._refuse(name, error)
            return policy

    def _refuse(self, name: str, error: PolicyError) -> None:
        culprits = tuple(pattern for pattern, _ in self._matching(name))
        if culprits not in self._refused:
            self._refused.add(culprits)
            rows = ", ".join(map(repr, culprits))
            logger.error("The configuration %s is ignored by %r: %s", rows, name, error)

    def _matching(self, name: str) -> list[Row]:
        matching = [row for row in self.rows if patterns.matches(row[0], name)]
        return sorted(matching, key=lambda row: patterns.rank(row[0], name))


def sound(rows: Iterable[Row]) -> Iterable[Row]:
    """Without those that nobody checked before they were written."""
    for pattern, options in rows:
        try:
            patterns.check(pattern)
            check_values(options)
        except PolicyError as error:
            logger.error("The configuration %r is ignored: %s", pattern, error)
        else:
            yield pattern, options


class Current:
    """This process's copy of the rows; ``overlay`` is replaced as a whole."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._rows: list[Row] = []
        self.overlay = Overlay()
        self.inherit()

    def inherit(self) -> None:
        """In a forked child: the rows are as good as the parent's, its lock may be held."""
        self._reading = threading.Lock()

    def read(self, find: Callable[[], list[Row]]) -> bool:
        """Take over the rows found; whether they changed."""
        with self._reading:  # of two readers the later has the newer rows
            rows = find()
            if rows == self._rows:
                return False
            self._rows, self.overlay = rows, Overlay(sound(rows))
            return True


current = Current()
