"""From a lock's name to the kind of lock it is: what may label a metric."""

import re
from functools import lru_cache

# What is taken over the API is named by strangers.
API = "api:"
_SEGMENT = re.compile(r"[^:/ ]+")
_WORD = re.compile(r"(?!(?i:[0-9a-f]{8,})$)[^\W\d_](?:[^\W\d]|[.-])*")
LONGEST_WORD = 40


@lru_cache(4096)
def pattern(name: str) -> str:
    """Every part of the name that is not plainly a word becomes ``*``.

    >>> pattern("invoice:7/line:a1b2")
    'invoice:*/line:*'
    """
    return f"{API}*" if name.startswith(API) else _SEGMENT.sub(_generalised, name)


def _generalised(segment: re.Match[str]) -> str:
    text = segment[0]
    return text if len(text) <= LONGEST_WORD and _WORD.fullmatch(text) else "*"
