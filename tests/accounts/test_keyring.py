from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest

from accounts.keyring import Key, State, TooSoon, parse, ring, rotate, text

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
OLD, NEW, FRESH, GONE = (bytes([n]) * 32 for n in range(1, 5))
LIFETIME, PATIENCE = timedelta(days=30, hours=1), timedelta(minutes=5)


def b64(secret: bytes) -> str:
    return urlsafe_b64encode(secret).rstrip(b"=").decode()


def turned(*keys: Key, now: datetime = NOW, patience: timedelta = PATIENCE) -> tuple[Key, ...]:
    return rotate(keys, fresh=FRESH, now=now, lifetime=LIFETIME, patience=patience)


def test_of_bare_secrets_the_first_signs_and_the_rest_verify_for_ever() -> None:
    assert ring([OLD, NEW]) == (Key(OLD), Key(NEW, State.RETIRED))
    assert Key(NEW, State.RETIRED).verifies(NOW)


@pytest.mark.parametrize("entries", [[], [Key(OLD, State.NEXT, NOW)], [OLD, OLD]], ids=repr)
def test_a_ring_has_one_key_that_signs_and_none_twice(entries: list[bytes | Key]) -> None:
    with pytest.raises(ValueError, match=r"no key signs|twice"):
        ring(entries)


def test_a_text_is_read_as_it_is_written() -> None:
    keys = (
        Key(OLD),
        Key(NEW, State.NEXT, NOW),
        Key(GONE, State.RETIRED, NOW + LIFETIME),
        Key(FRESH, State.RETIRED),
    )
    written = text(keys)
    assert parse(written) == keys
    assert written == (
        f"{b64(OLD)},{b64(NEW)}:next=2026-01-01T12:00:00Z,"
        f"{b64(GONE)}:until=2026-01-31T13:00:00Z,{b64(FRESH)}"
    )


@pytest.mark.parametrize(
    "entry",
    ["", ":", ":next", ":next=", ":next=soon", ":until", ":current=2026-01-01T12:00:00Z", "?:x"],
)
def test_an_entry_that_cannot_be_read_is_told_without_its_key(entry: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(f"{b64(OLD)},{b64(NEW)}{entry}" if entry else "")
    assert b64(NEW) not in str(caught.value)


def test_a_key_in_a_ring_does_not_show_itself() -> None:
    assert str(OLD) not in repr(Key(OLD))


@pytest.mark.parametrize(
    ("key", "verifies"),
    [
        (Key(OLD), True),
        (Key(OLD, State.NEXT, NOW), True),
        (Key(OLD, State.RETIRED), True),
        (Key(OLD, State.RETIRED, NOW + timedelta(seconds=1)), True),
        (Key(OLD, State.RETIRED, NOW), False),
    ],
    ids=repr,
)
def test_only_the_end_of_a_retired_key_stops_it_from_verifying(key: Key, verifies: bool) -> None:
    assert key.verifies(NOW) is verifies


def test_a_key_is_published_first() -> None:
    assert turned(Key(OLD)) == (Key(OLD), Key(FRESH, State.NEXT, NOW))


def test_then_it_signs_and_the_one_before_verifies_until_its_last_token_has_died() -> None:
    published = Key(NEW, State.NEXT, NOW - PATIENCE)
    assert turned(Key(OLD), published) == (
        Key(NEW),
        Key(FRESH, State.NEXT, NOW),
        Key(OLD, State.RETIRED, NOW + LIFETIME),
    )


def test_it_does_not_sign_before_others_can_know_it() -> None:
    published = Key(NEW, State.NEXT, NOW - PATIENCE + timedelta(seconds=1))
    with pytest.raises(TooSoon, match="2026-01-01T12:00:01Z"):
        turned(Key(OLD), published)
    assert turned(Key(OLD), published, patience=timedelta(0))[0] == Key(NEW)


def test_a_retired_key_keeps_its_end_and_leaves_the_ring_after_it() -> None:
    staying = Key(b"s" * 32, State.RETIRED, NOW + timedelta(days=1))
    over = Key(GONE, State.RETIRED, NOW)
    endless = Key(b"e" * 32, State.RETIRED)
    kept = turned(Key(OLD), Key(NEW, State.NEXT, NOW - PATIENCE), staying, over, endless)
    assert kept[2:] == (Key(OLD, State.RETIRED, NOW + LIFETIME), staying, endless)
    assert over not in turned(Key(OLD), over)


def test_times_are_kept_in_whole_seconds_as_they_are_written() -> None:
    keys = turned(Key(OLD), now=NOW + timedelta(microseconds=7))
    assert parse(text(keys)) == keys
