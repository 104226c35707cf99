from dataclasses import replace

import pytest

from health.alerting.mutes import (
    DEGRADED,
    FAILING,
    FLAPPING,
    STEADY_SECONDS,
    Mutes,
    Silence,
    failing,
)
from health.alerting.states import Labels, Record, State, Word

NOW = 1000.0


def record(alert: str, service: str, state: State = State.FIRING) -> Record:
    return Record(labels=Labels(alert=alert, service=service), state=state)


@pytest.mark.parametrize(
    ("alert", "service", "at", "held"),
    [
        ("", "", NOW, True),
        (FAILING, "", NOW, True),
        ("", "cache", NOW, True),
        (FAILING, "cache", NOW, True),
        (DEGRADED, "cache", NOW, False),
        (FAILING, "database", NOW, False),
        ("", "", NOW - 11, False),
        ("", "", NOW + 10, False),
    ],
    ids=["all", "by alert", "by service", "by both", "another alert", "another service", "before",
         "expired"],
)  # fmt: skip
def test_a_silence_holds_back_what_it_matches(
    alert: str, service: str, at: float, held: bool
) -> None:
    silence = Silence(alert=alert, service=service, starts=NOW - 10, expires=NOW + 10)
    mutes = Mutes(silences=(silence,))
    for word in Word:
        assert mutes.hold_back(record(FAILING, "cache"), word, now=at) is held


@pytest.mark.parametrize(
    ("cause", "alert", "service", "held"),
    [
        ("database", FAILING, "migrations", True),
        ("database", DEGRADED, "accounts", True),
        ("database", DEGRADED, "database", True),
        ("database", FAILING, "database", False),
        ("database", DEGRADED, "cache", False),
        ("cache", FAILING, "migrations", False),
        ("cache", DEGRADED, "cache", True),
    ],
)
def test_a_cause_explains_what_follows_from_it(
    cause: str, alert: str, service: str, held: bool
) -> None:
    mutes = Mutes(failing={cause})
    assert mutes.hold_back(record(alert, service), Word.FIRING, now=NOW) is held
    assert not mutes.hold_back(record(alert, service), Word.RESOLVED, now=NOW)


def test_flapping_holds_all_notices_but_its_own_and_of_what_has_come_to_stay() -> None:
    mutes = Mutes(flapping={("cache", "default")})
    new = replace(record(DEGRADED, "cache"), changed_at=NOW - STEADY_SECONDS + 1)
    for word in Word:
        assert mutes.hold_back(new, word, now=NOW)
        assert not mutes.hold_back(new, word, now=NOW + 1)
        assert not mutes.hold_back(record(FLAPPING, "cache"), word, now=NOW)
        assert not mutes.hold_back(record(DEGRADED, "locks"), word, now=NOW)


def test_a_service_counts_as_failing_before_it_is_said_to() -> None:
    over = replace(record(FAILING, "search", State.RESOLVED), resolved_at=NOW - 20)
    records = [
        record(FAILING, "database", State.PENDING),
        record(FAILING, "queue", State.FIRING),
        over,
        record(FAILING, "mail", State.QUIET),
        record(DEGRADED, "cache", State.FIRING),
    ]
    assert failing(records, now=NOW) == {"database": NOW, "queue": NOW, "search": NOW - 20}
