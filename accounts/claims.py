"""The claims of a token: one exact shape, checked before anything reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

# Year 9999: the last moment that still has a datetime.
LAST_SECOND = 253_402_300_799


class TokenType(StrEnum):
    ACCESS = "access"
    REFRESH = "refresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Times are Unix seconds; ``gen`` is the refresh generation, ``ep`` the user's epoch."""

    iss: str
    aud: str
    sub: str
    sid: str
    jti: str = field(repr=False)
    token_type: str
    gen: int
    ep: int
    iat: int
    nbf: int
    exp: int


SHAPE = {each.name: each.type for each in fields(Claims)}


def parse(payload: Mapping[str, Any]) -> Claims:
    """Raises ValueError naming the first claim that is missing, foreign or of a wrong type."""
    if unknown := payload.keys() - SHAPE.keys():
        raise ValueError(f"unknown claim {min(unknown)}")
    for name, kind in SHAPE.items():
        value: Any = payload.get(name)
        # Not isinstance: True is an int to Python, and not to anybody else.
        if type(value) is not kind or not _plausible(value):
            raise ValueError(f"claim {name} is missing or malformed")
    return Claims(**payload)


def _plausible(value: str | int) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= 255 and value.isprintable()
    return 0 <= value <= LAST_SECOND
