"""One round of alerting: what holds, what all make of it, and who has to hear of it."""

from collections.abc import Collection, Iterable, Mapping
from functools import partial

from health.conf import AlertSettings
from health.engine.direct import within

from . import mutes
from .book import Book, Decided
from .channels import DELIVERY_SECONDS, Line
from .history import Transition
from .memory import Memory
from .mutes import Mutes, Place
from .notices import Notice, Tempo, due
from .recent import Recent
from .rules import OPENINGS_SECONDS, Condition, Seen, conditions
from .states import Record, State, Word

# After a channel has failed all its tries.
REST_SECONDS = 60.0
# How often what other nodes did is looked up while nothing happens here.
LOOK_SECONDS = 30.0
# After its cause is mended, and longer than from one look at it to the next.
AFTERMATH_SECONDS = 90.0
LONGEST_PAUSE, SHORTEST_PAUSE, RETRY_SECONDS = 10.0, 0.1, 1.0

Batches = Mapping[str, list[Notice]]
"""Notices by channel."""


class Desk:
    """Used by one thread. ``node`` is the name that the world knows this host by."""

    def __init__(
        self,
        wanted: AlertSettings,
        lines: Iterable[Line],
        memory: Memory,
        *,
        node: str,
        reporter: str,
    ) -> None:
        self._tempo = Tempo(
            group=wanted.group_seconds, remind=wanted.remind_seconds, floor=wanted.floor_seconds
        )
        self._lines = {line.name: line for line in lines}
        self._resting = dict.fromkeys(self._lines, 0.0)
        self._node = node
        self._book = Book(wanted, memory, reporter=reporter)
        self._failed: dict[str, float] = {}
        self._openings: Recent[str] = Recent(OPENINGS_SECONDS)
        self._opened: dict[str, object] = {}

    def note(self, transition: Transition) -> None:
        """A check has changed what it shows."""
        self._book.note(transition)

    def round(self, checks: list[Seen], now: float) -> float:
        """Seconds until the next one, unless something happens."""
        holding = self._holding(checks, now)
        if holding or self._book.active or now - self._book.looked >= LOOK_SECONDS:
            decided = self._book.decide(holding, now)
            if decided is not Decided.NOT_AT_ALL:
                flapping = {check.place for check in checks if check.flapping}
                self._speak(flapping, now, alone=decided is Decided.ALONE)
        return self._pause(now)

    @property
    def records(self) -> Iterable[Record]:
        return self._book.records.values()

    @property
    def alone(self) -> bool:
        return self._book.lost

    def leave(self) -> None:
        """What is not in the database yet is for who comes next."""
        self._book.remember()

    def _holding(self, checks: list[Seen], now: float) -> dict[str, Condition]:
        self._watch_openings(checks, now)
        found = conditions(checks, self._openings.counts(now), node=self._node)
        return {condition.labels.fingerprint: condition for condition in found}

    def _failing(self, now: float) -> set[str]:
        """Or a moment ago: what follows from it has not been looked at since."""
        self._failed |= mutes.failing(self._book.records.values(), now=now)
        return {name for name, at in self._failed.items() if now - at <= AFTERMATH_SECONDS}

    def _watch_openings(self, checks: list[Seen], now: float) -> None:
        circuits = [part for check in checks if check.service == "breakers" for part in check.parts]
        for circuit in circuits:
            opened = circuit.values.get("openedAt")
            if opened is not None and opened != self._opened.get(circuit.component, opened):
                self._openings.note(circuit.component, now)
        self._opened = {one.component: one.values.get("openedAt") for one in circuits}

    def _speak(self, flapping: Collection[Place], now: float, *, alone: bool) -> None:
        held = Mutes(
            silences=self._book.silences,
            flapping=flapping,
            failing=self._failing(now),
        )
        free = self._book.free(alone=alone, now=now)
        batches = due(free, self._resting, held, self._tempo, now=now)
        names = self._book.claim(_hearing(batches), now, alone=alone) if batches else set()
        if names:
            self._send(_only(batches, names), now)
            self._book.give_back(names)

    def _send(self, batches: Batches, now: float) -> None:
        calls = {name: partial(self._lines[name].deliver, batch) for name, batch in batches.items()}
        done = within(DELIVERY_SECONDS, calls)
        heard: dict[str, list[str]] = {name: [] for name in _hearing(batches)}
        for channel, batch in batches.items():
            took_it = done.get(channel, False)
            self._resting[channel] = now + (self._tempo.floor if took_it else REST_SECONDS)
            for notice in batch if took_it else ():
                heard[notice.record.fingerprint].append(channel)
        self._book.heard(heard, now)

    def _pause(self, now: float) -> float:
        if self._book.lost:
            return RETRY_SECONDS
        times = [self._next_event(record) for record in self._book.records.values()]
        times += self._resting.values()
        soonest = min((time - now for time in times if time > now), default=LONGEST_PAUSE)
        return min(max(soonest, SHORTEST_PAUSE), LONGEST_PAUSE)

    def _next_event(self, record: Record) -> float:
        if record.state is State.PENDING:
            return record.since + self._book.wait(record)
        return record.changed_at + max(self._tempo.group, RETRY_SECONDS)


def _hearing(batches: Batches) -> dict[str, list[str]]:
    """The channels that are to hear that it fires, for each alert that somebody is told of."""
    found: dict[str, list[str]] = {}
    for channel, batch in batches.items():
        for notice in batch:
            channels = found.setdefault(notice.record.fingerprint, [])
            if notice.word is Word.FIRING:
                channels.append(channel)
    return found


def _only(batches: Batches, names: set[str]) -> dict[str, list[Notice]]:
    found = {
        channel: [notice for notice in batch if notice.record.fingerprint in names]
        for channel, batch in batches.items()
    }
    return {channel: batch for channel, batch in found.items() if batch}
