"""What each service was through the last day: stretches of one status, from the changes on record.

Pure: changes and what is shown now go in, stretches come out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from health.verdict import Status, worst

MINUTE = timedelta(minutes=1)
LENGTH = timedelta(hours=24)
STEP = timedelta(minutes=5)
"""The end moves by so much, not to be drawn anew with each look."""


class Spell(NamedTuple):
    """An alert fired."""

    name: str
    status: Status
    began: datetime
    ended: datetime | None
    """None while it fires."""


class Change(NamedTuple):
    service: str
    component: str
    before: Status
    after: Status
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """``start`` and ``length`` are minutes, the former of the day that is shown."""

    status: Status
    begins: datetime
    ends: datetime
    start: float
    length: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    service: str
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    end: datetime
    strips: tuple[Strip, ...]


def end_of(now: datetime) -> datetime:
    """The next full step."""
    past = timedelta(minutes=now.minute, seconds=now.second, microseconds=now.microsecond)
    return now + STEP - past % STEP


def strips(
    changes: Iterable[Change], shown: Mapping[str, Mapping[str, Status]], *, end: datetime
) -> tuple[Strip, ...]:
    """``shown`` is the status of each component now, by service; ``changes`` are in order."""
    mine: dict[str, list[Change]] = {service: [] for service in shown}
    for change in changes:
        if change.service in mine:
            mine[change.service].append(change)
    return tuple(
        Strip(service=service, stretches=tuple(_stretches(mine[service], components, end=end)))
        for service, components in shown.items()
    )


def spells(fired: Iterable[Spell], *, end: datetime) -> Iterator[Strip]:
    """A strip for each, in which it passes while it does not fire."""
    for spell in fired:
        begins = end - LENGTH
        moments = [(begins, Status.PASS), (max(spell.began, begins), spell.status)]
        if spell.ended:
            moments.append((max(spell.ended, begins), Status.PASS))
        yield Strip(service=spell.name, stretches=tuple(_drawn(moments, end=end)))


def _stretches(
    changes: Sequence[Change], components: Mapping[str, Status], *, end: datetime
) -> Iterator[Stretch]:
    begins = end - LENGTH
    # A component that has not changed was all the time what it is now.
    standing = dict(components)
    for change in reversed(changes):
        standing[change.component] = change.before
    moments = [(begins, worst(standing.values()))]
    for change in changes:
        standing[change.component] = change.after
        moments.append((max(change.at, begins), worst(standing.values())))
    return _drawn(moments, end=end)


def _drawn(moments: list[tuple[datetime, Status]], *, end: datetime) -> Iterator[Stretch]:
    begins = end - LENGTH
    for (since, status), (until, _) in pairwise([*_merged(moments), (end, Status.UNKNOWN)]):
        yield Stretch(
            status=status,
            begins=since,
            ends=until,
            start=(since - begins) / MINUTE,
            length=(until - since) / MINUTE,
        )


def _merged(moments: list[tuple[datetime, Status]]) -> Iterator[tuple[datetime, Status]]:
    """Without those that bring no other status; of several at one moment the last."""
    told: Status | None = None
    for place, (since, status) in enumerate(moments):
        followed = place + 1 < len(moments) and moments[place + 1][0] == since
        if status is not told and not followed:
            told = status
            yield since, status
