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
        self._refused: set[str] = set()

    def of(self, name: str) -> dict[str, Any]:
        """The options of all patterns that match; of two the more specific wins."""
        merged: dict[str, Any] = {}
        for _, options in self._matching(name):
            merged |= options
        return merged

    def policy(self, name: str, policy: Policy) -> Policy:
        """``policy`` with the options for the name, and no exception.

        Callers must not suffer from a mistake in a row: one that clashes is left out.
        """
        found, clashes = self._laid(name, policy)
        for pattern in clashes.keys() - self._refused:
            self._refused.add(pattern)
            error = clashes[pattern]
            logger.error("The configuration %r is ignored by %r: %s", pattern, name, error)
        return found

    def clashes(self, name: str, policy: Policy) -> dict[str, PolicyError]:
        """The rows that ``policy`` leaves out, by their patterns."""
        return self._laid(name, policy)[1]

    def _laid(self, name: str, policy: Policy) -> tuple[Policy, dict[str, PolicyError]]:
        options = self.of(name)
        if not options:
            return policy, {}
        try:
            return replace(policy, **options), {}
        except PolicyError:
            return self._laid_singly(name, policy)

    def _laid_singly(self, name: str, policy: Policy) -> tuple[Policy, dict[str, PolicyError]]:
        """One row over the other, but for those that clash with what lies beneath them."""
        clashes = {}
        for pattern, options in self._matching(name):
            try:
                policy = replace(policy, **options)
            except PolicyError as error:
                clashes[pattern] = error
        return policy, clashes

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
