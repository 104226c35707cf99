from datetime import UTC, datetime, timedelta

import pytest

from accounts.devices import LONGEST, issue, recognise

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = 86_400


def known(token: str, *, user: object = 7, later: timedelta = timedelta(0)) -> str | None:
    return recognise(token, user, lifetime=DAY, now=NOW + later)


def test_a_device_is_known_to_its_user_for_its_lifetime() -> None:
    token = issue(7, known=None, now=NOW)
    assert len(token) <= LONGEST
    assert known(token)
    assert known(token, later=timedelta(seconds=DAY - 1))
    assert known(token, later=timedelta(seconds=DAY)) is None
    assert known(token, user=8) is None
    assert known(token, user="7") == known(token)


def test_a_known_device_keeps_its_id_and_lives_on() -> None:
    device = known(issue(7, known=None, now=NOW))
    later = timedelta(seconds=DAY - 1)
    again = issue(7, known=device, now=NOW + later)
    assert known(again, later=later * 2) == device


def test_two_devices_are_two() -> None:
    assert known(issue(7, known=None, now=NOW)) != known(issue(7, known=None, now=NOW))


@pytest.mark.parametrize(
    "token",
    ["", ".", "....", "1.a.b.c", "1.a.1.", "2.a.1.00", "1.a.\u0661.00", "1.a.-1.00", "\ud800.1",
     "1.a.1.\ud800", "1.a." + "9" * 100 + ".00", "x" * 10_000],
    ids=["nothing", "a dot", "dots", "no time", "no seal", "another kind", "a foreign digit",
         "a sign", "half a pair", "half a pair for a seal", "a long time", "a long one"],
)  # fmt: skip
def test_whatever_else_is_shown_makes_a_stranger(token: str) -> None:
    assert known(token) is None


def test_a_changed_token_is_none() -> None:
    kind, name, issued, seal = issue(7, known=None, now=NOW).split(".")
    later = int(issued) + 1
    for changed in (f"{kind}.{name}x.{issued}.{seal}", f"{kind}.{name}.{later}.{seal}"):
        assert known(changed) is None
