"""The keys that sign tokens and where each is in its life. Values in, values out.

As text, which is what the environment and files hold, the entries of a ring stand between commas:

    KEY                              signs; more of these only verify
    KEY:next=2026-11-23T17:30:00Z    published since then, will sign after the next rotation
    KEY:until=2026-12-23T18:30:00Z   retired: verifies until then

A key is published before it signs, so that whoever verifies tokens knows it in time, and verifies
after it has signed for as long as its last tokens live.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class State(StrEnum):
    NEXT = "next"
    CURRENT = "current"
    RETIRED = "retired"


MARKS = {"next": State.NEXT, "until": State.RETIRED}


@dataclass(frozen=True, slots=True)
class Key:
    secret: bytes = field(repr=False)
    state: State = State.CURRENT
    at: datetime | None = None
    """When a next key was published, or when a retired one stops to verify; None for never."""

    def verifies(self, now: datetime) -> bool:
        return self.state is not State.RETIRED or self.at is None or now < self.at


class TooSoon(Exception):
    def __init__(self, since: datetime, until: datetime) -> None:
        super().__init__(
            f"The next key is public since {_text(since)} only: wait until {_text(until)}"
        )


def ring(entries: Iterable[bytes | Key]) -> tuple[Key, ...]:
    """Bare secrets too: the first of those that could sign does, the rest verify for ever.

    Raises ValueError when none signs, or one is there twice.
    """
    keys = [Key(entry) if isinstance(entry, bytes) else entry for entry in entries]
    if len({key.secret for key in keys}) < len(keys):
        raise ValueError("a key is there twice")
    signing = next((key for key in keys if key.state is State.CURRENT), None)
    if signing is None:
        raise ValueError("no key signs")
    return tuple(
        Key(key.secret, State.RETIRED) if key.state is State.CURRENT and key != signing else key
        for key in keys
    )


def parse(text: str) -> tuple[Key, ...]:
    """Raises ValueError."""
    return ring(_entry(part) for part in map(str.strip, text.split(",")) if part)


def _entry(text: str) -> Key:
    encoded, marked, life = text.partition(":")
    try:
        secret = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        return _with_life(secret, life) if marked else Key(secret)
    except (KeyError, ValueError):
        # Nothing of the entry may be told: it holds a key.
        raise ValueError("an entry is KEY, KEY:next=TIME or KEY:until=TIME") from None


def _with_life(secret: bytes, life: str) -> Key:
    mark, _, time = life.partition("=")
    # A time without a zone is that of this machine.
    return Key(secret, MARKS[mark], datetime.fromisoformat(time).astimezone(UTC))


def text(keys: Sequence[Key]) -> str:
    return ",".join(map(_written, keys))


def _written(key: Key) -> str:
    encoded = urlsafe_b64encode(key.secret).rstrip(b"=").decode()
    if key.at is None:
        return encoded
    return f"{encoded}:{'next' if key.state is State.NEXT else 'until'}={_text(key.at)}"


def rotate(
    keys: Sequence[Key], *, fresh: bytes, now: datetime, lifetime: timedelta, patience: timedelta
) -> tuple[Key, ...]:
    """One step: publish a next key, or let the one that was published sign and publish another.

    ``lifetime`` is how long the last token of a key lives, ``patience`` how long a key has to be
    public before it signs. Raises TooSoon.
    """
    now = now.replace(microsecond=0)
    kept = [key for key in keys if key.verifies(now)]
    waiting = Key(fresh, State.NEXT, now)
    published = next((key for key in kept if key.state is State.NEXT), None)
    if published is None:
        return (kept[0], waiting, *kept[1:])
    since = published.at or now - patience
    if now < since + patience:
        raise TooSoon(since, since + patience)
    retired = [
        Key(key.secret, State.RETIRED, now + lifetime) if key.state is State.CURRENT else key
        for key in kept
        if key != published
    ]
    return (Key(published.secret), waiting, *retired)


def _text(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
