"""What the guarded calls give back: values, free of the SDK."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Image:
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Video:
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """Google answered, and withheld the content. ``reason`` is its word, such as SAFETY."""

    reason: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A film in the making, to be polled by ``name``."""

    name: str


@dataclass(frozen=True, slots=True)
class OperationFailed:
    """The film will not come; ``code`` is a google.rpc code."""

    code: int

    # google.rpc codes that are ours to give.
    UNKNOWN: ClassVar[int] = 2
    DEADLINE_EXCEEDED: ClassVar[int] = 4
    NOT_FOUND: ClassVar[int] = 5
    UNIMPLEMENTED: ClassVar[int] = 12


class Unreadable(ValueError):
    """A reply without the part that makes it an answer."""
