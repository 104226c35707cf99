"""What is kept of an error for operators to read: without the secrets that can be told apart.

Prompts, names and other private text cannot. Where errors repeat such, ``ERROR_DETAIL`` in the
setting keeps their class only.
"""

import re

from .classify import is_a
from .conf import conf

LONGEST = 300
LONGEST_LOOK = 2_000
"""Characters looked at; none beyond them is told."""
HIDDEN = "***"

_NAMES = (
    "key|token|secret|password|passwd|passphrase|pass|pwd|credentials?|signature|sig|cookie"
    "|session_?id|jwt"
)
_QUOTED = r"""b?"(?:\\.|[^"\\])*"?|b?'(?:\\.|[^'\\])*'?"""
_PATTERNS = (
    # User and password of a URL, even with characters in them that should have been escaped.
    (r"(://)(?:[^\s/:@]*:\S*|[^\s/]*)@", rf"\1{HIDDEN}@"),
    (
        rf"(auth(?:orization)?[\"']?\s*(?:[=:,]|%3d)\s*)(?:{_QUOTED}|(?:\w+ +)?[^\s&]+)",
        rf"\1{HIDDEN}",
    ),
    (
        rf"((?:{_NAMES})(?:[\"']?\s*(?:[=:]|%3d)\s*|[\"']\s*,\s*(?=b?[\"'])))(?:{_QUOTED}|[^\s&]+)",
        rf"\1{HIDDEN}",
    ),
    (r"\b(bearer\s+)\S+", rf"\1{HIDDEN}"),
    # JSON web tokens, and keys and tokens of Google.
    (r"\b(?:eyJ|AIza|ya29\.)[\w.=+/-]{8,}", HIDDEN),
)
SECRETS = tuple((re.compile(pattern, re.IGNORECASE), told) for pattern, told in _PATTERNS)


def described(end: object) -> str:
    """One printable line, from whatever was judged a failure."""
    if end is None:
        return ""
    name = type(end).__name__
    text = _text(end) if is_a(end, BaseException) and conf().error_detail else ""
    return _printable(f"{name}: {redacted(text)}" if text else name)[:LONGEST]


def redacted(text: str) -> str:
    for pattern, told in SECRETS:
        text = pattern.sub(told, text)
    return text


def _text(error: object) -> str:
    try:
        return _printable(str(error)[:LONGEST_LOOK])
    except Exception:
        return ""  # it has no words, and no call must end in that


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
