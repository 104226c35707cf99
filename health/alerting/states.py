"""Where an alert stands, and which notices are owed because of it. Times are Unix seconds.

An alert is *pending* while its condition has not held for long enough, *firing* from then on, and
*resolved* until everybody who was told that it fires has been told that it is over; then it is
*quiet*. The condition holds as long as one node says so.

A notice is not an event but a difference: between where the alert stands and what a channel has
heard. So nothing is lost by a crash, a silence or a channel out of order, and nothing is said of
what came and went unheard. What a channel is about to hear is put down first: should the one who
tells it die, nobody knows whether it arrived, so it is told again, and so is that it is over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256

# A node that reports nothing for so long has no say any more.
REPORT_SECONDS = 120.0
# How often it repeats its report.
REPEAT_SECONDS = 30.0
# After so long nobody wants to hear that it is over.
STALE_SECONDS = 86_400.0


class State(StrEnum):
    QUIET = "quiet"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class Fact(StrEnum):
    """What is known of the condition."""

    HOLDS = "holds"
    RIPE = "ripe"  # holds, and has for long enough
    CLEAR = "clear"
    OWED = "owed"  # clear, and a channel has yet to hear so


NEXT: dict[State, dict[Fact, State]] = {
    State.QUIET: {
        Fact.HOLDS: State.PENDING,
        Fact.RIPE: State.FIRING,
        Fact.CLEAR: State.QUIET,
        Fact.OWED: State.RESOLVED,
    },
    State.PENDING: {
        Fact.HOLDS: State.PENDING,
        Fact.RIPE: State.FIRING,
        Fact.CLEAR: State.QUIET,
        Fact.OWED: State.RESOLVED,
    },
    State.FIRING: {
        Fact.HOLDS: State.FIRING,
        Fact.RIPE: State.FIRING,
        Fact.CLEAR: State.RESOLVED,
        Fact.OWED: State.RESOLVED,
    },
    State.RESOLVED: {
        Fact.HOLDS: State.PENDING,
        Fact.RIPE: State.FIRING,
        Fact.CLEAR: State.QUIET,
        Fact.OWED: State.RESOLVED,
    },
}


class Word(StrEnum):
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Told:
    """What a channel heard last; not ``sure`` if somebody was about to say it, and has not come
    back.
    """

    word: Word
    at: float
    sure: bool = True


# Who has heard nothing is as who has heard that it is over.
NOTHING = Told(Word.RESOLVED, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What an alert is about. ``node`` only if it concerns that node alone."""

    alert: str
    service: str
    component: str = "default"
    node: str = ""
    severity: str = "ticket"

    @property
    def fingerprint(self) -> str:
        parts = (self.alert, self.service, self.component, self.node)
        return sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    labels: Labels
    state: State = State.QUIET
    reason: str = ""
    since: float = 0.0
    fired_at: float = 0.0
    resolved_at: float = 0.0
    changed_at: float = 0.0
    reporters: Mapping[str, float] = field(default_factory=dict)
    told: Mapping[str, Told] = field(default_factory=dict)
    claimed_by: str = ""
    claimed_until: float = 0.0

    @property
    def fingerprint(self) -> str:
        return self.labels.fingerprint

    @property
    def known_to_fire(self) -> bool:
        return any(told.word is Word.FIRING for told in self.told.values())


def hear(record: Record, node: str, *, reason: str | None, now: float) -> Record:
    """Take one node's word; ``reason`` is None if it does not see the condition hold."""
    others = {
        name: at
        for name, at in record.reporters.items()
        if name != node and now - at <= REPORT_SECONDS
    }
    if reason is None:
        return replace(record, reporters=others)
    last = record.reporters.get(node, 0.0)
    said = last if 0 <= now - last < REPEAT_SECONDS else now
    return replace(record, reporters={**others, node: said}, reason=reason)


def step(record: Record, *, wait: float, now: float) -> Record:
    state = NEXT[record.state][_fact(record, wait, now)]
    if state is record.state:
        return record
    moved = replace(record, state=state, changed_at=now)
    match state:
        case State.PENDING:
            return replace(moved, since=now)
        case State.FIRING:
            since = record.since if record.state is State.PENDING else now
            # It never was over for those who were told that it fires.
            fired_at = record.fired_at if record.known_to_fire else now
            return replace(moved, since=since, fired_at=fired_at)
        case State.RESOLVED:
            return replace(moved, resolved_at=now)
        case State.QUIET if record.known_to_fire:  # too late to say so
            return tell(moved, record.told, Word.RESOLVED, at=now)
    return moved


def _fact(record: Record, wait: float, now: float) -> Fact:
    if record.reporters:
        held = now - record.since if record.state is State.PENDING else 0.0
        return Fact.RIPE if held >= wait else Fact.HOLDS
    stale = record.state is State.RESOLVED and now - record.resolved_at > STALE_SECONDS
    return Fact.OWED if record.known_to_fire and not stale else Fact.CLEAR


def owed(record: Record, channel: str, *, remind: float, now: float) -> Word | None:
    """The notice that a channel should get; the same word again is a reminder."""
    told = record.told.get(channel, NOTHING)
    failing = told.word is Word.FIRING
    match record.state:
        case State.FIRING if not failing or not told.sure or now - told.at >= remind:
            return Word.FIRING
        case State.RESOLVED if failing:
            return Word.RESOLVED
    return None


def tell(record: Record, channels: Iterable[str], word: Word, *, at: float) -> Record:
    return replace(record, told={**record.told, **dict.fromkeys(channels, Told(word, at))})


def promise(record: Record, channels: Iterable[str], *, at: float) -> Record:
    """Put down that they are about to hear that it fires."""
    new = [one for one in channels if record.told.get(one, NOTHING).word is not Word.FIRING]
    perhaps = dict.fromkeys(new, Told(Word.FIRING, at, sure=False))
    return replace(record, told={**record.told, **perhaps})


def forget_promises(record: Record) -> Record:
    """Whoever made them is back, and knows who has heard it."""
    told = {name: heard for name, heard in record.told.items() if heard.sure}
    return replace(record, told=told)


def claimable(record: Record, node: str, *, now: float) -> bool:
    return record.claimed_by == node or record.claimed_until <= now


def merge(own: Record, shared: Record | None) -> Record:
    """What a node decided by itself, put into what all know: in each part, the later one holds."""
    if shared is None:
        return own
    newer = own if own.changed_at > shared.changed_at else shared
    told = dict(shared.told)
    for channel, heard in own.told.items():
        known = told.get(channel, NOTHING)
        # What was about to be said and was said then have one time.
        if (heard.at, heard.sure) > (known.at, known.sure):
            told[channel] = heard
    return replace(
        newer,
        told=told,
        reporters={**own.reporters, **shared.reporters},
        claimed_by=shared.claimed_by,
        claimed_until=shared.claimed_until,
    )
