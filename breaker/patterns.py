"""Patterns of circuits' names: a name as it is, or one with ``*``, ``?`` and ``[sets]``."""

import re
from collections.abc import Callable
from fnmatch import translate
from functools import lru_cache

from .errors import ConfigInvalid
from .names import LONGEST_NAME

# As fnmatch reads them: the first character of a set may be a bracket itself.
SOUND = re.compile(r"(?:[^\[\]]|\[!?+[\[\]]?+[^\[\]]*+\])*+")


def check(pattern: str) -> None:
    """Raises ConfigInvalid for what no name could match as it was meant."""
    if type(pattern) is not str or not 1 <= len(pattern) <= LONGEST_NAME:
        raise ConfigInvalid(f"A pattern is a text of 1 to {LONGEST_NAME} characters.")
    if not pattern.isprintable():
        raise ConfigInvalid(f"The pattern {pattern!a} has characters that no name has.")
    if not SOUND.fullmatch(pattern):
        raise ConfigInvalid(
            f"The brackets of the pattern {pattern!r} do not match; for one as it is, write [[]."
        )


def literal(name: str) -> str:
    """The pattern that only this name matches."""
    return re.sub(r"[*?[\]]", r"[\g<0>]", name)


def matches(pattern: str, name: str) -> bool:
    return name == pattern or matcher(pattern)(name) is not None


@lru_cache(maxsize=10_000)
def matcher(pattern: str) -> Callable[[str], object]:
    return re.compile(translate(pattern)).match


def rank(pattern: str, name: str) -> tuple[bool, int, str]:
    """The higher, the more specific: the name itself, then the longest."""
    return pattern in (name, literal(name)), len(pattern), pattern
