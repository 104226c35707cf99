"""The ETag of a circuit: of what operators change, and not of the numbers that never rest.

``If-Match`` is held against the half of it that the request is about: a command against the epoch,
new options against the options.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.utils.http import parse_etags


@dataclass(frozen=True, slots=True)
class Condition:
    epochs: frozenset[str]
    options: frozenset[str]
    """Digests."""


def tag(epoch: int, options: Mapping[str, Any]) -> str:
    return f'"{epoch}-{digest(options)}"'


def digest(options: Mapping[str, Any]) -> str:
    return sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:16]


def condition(if_match: str | None) -> Condition | None:
    """None if anything will do. Weak tags match nothing, nor does what is no tag."""
    if if_match is None:
        return None
    tags = parse_etags(if_match)
    if tags == ["*"]:
        return None
    halves = [one.strip('"').partition("-") for one in tags if one.startswith('"')]
    return Condition(
        frozenset(epoch for epoch, _, _ in halves), frozenset(options for _, _, options in halves)
    )
