"""What a flow asks its driver for: all that takes time, and so differs for threads and tasks."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import httpx2


@dataclass(frozen=True, slots=True)
class Enter:
    """Take the session's lock. The flow releases it."""


@dataclass(frozen=True, slots=True)
class Sleep:
    seconds: float


@dataclass(frozen=True, slots=True)
class Ask:
    """POST, without following redirects, which would carry the secrets elsewhere.

    Answered by a response read to its end, or httpx2.TransportError is thrown.
    """

    url: httpx2.URL
    body: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)


@dataclass(frozen=True, slots=True)
class Read:
    """Get the rest of a response."""

    response: httpx2.Response


Step: TypeAlias = Enter | Sleep | Ask | Read
T = TypeVar("T")
Flow: TypeAlias = Generator[Step, Any, T]
