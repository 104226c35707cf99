from typing import Any

import pytest
from pytest_django.fixtures import Settings

from health.checks import check_settings

DIGEST = "ab" * 32


def problems() -> list[tuple[str | None, str]]:
    return [(message.id, message.msg) for message in check_settings()]


@pytest.mark.parametrize(
    ("values", "expected", "named"),
    [
        ({"TOKENZ": []}, "health.E001", "TOKENZ"),
        ({"TOKENS": DIGEST}, "health.E002", "TOKENS"),
        ({"INTERVALS": {"cache": 0}}, "health.E002", "cache"),
        ({"DEADLINES": {"cache": "1"}}, "health.E002", "cache"),
        ({"DRAIN_SECONDS": -1}, "health.E002", "DRAIN_SECONDS"),
        ({"ALLOWED_CIDRS": ["10.0.0.1/8"]}, "health.E003", "10.0.0.1/8"),
        ({"ALLOWED_CIDRS": ["everywhere"]}, "health.E003", "everywhere"),
        ({"TOKENS": ["a plain token"]}, "health.E004", "entry 0"),
        ({"SERVICES": ["database", "databose"]}, "health.E005", "databose"),
        ({"INTERVALS": {"cash": 3}}, "health.E005", "cash"),
        ({"SERVICES": ["cache", "cache"]}, "health.E006", "cache"),
    ],
)
def test_a_wrong_setting_is_named(
    settings: Settings, values: dict[str, Any], expected: str, named: str
) -> None:
    settings.HEALTH = values
    [(number, message)] = problems()
    assert number == expected
    assert named in message


def test_a_token_given_in_clear_is_not_repeated(settings: Settings) -> None:
    for tokens in (["hunter2"], "hunter2"):
        settings.HEALTH = {"TOKENS": tokens}
        assert problems()
        assert "hunter2" not in str(problems())


@pytest.mark.parametrize(
    "values",
    [
        {},
        {
            "SERVICES": ["database", "cache"],
            "INTERVALS": {"cache": 2},
            "DEADLINES": {"database": 3.5},
            "TOKENS": [DIGEST],
            "ALLOWED_CIDRS": ["10.0.0.0/8", "::1/128"],
            "DRAIN_SECONDS": 5,
        },
    ],
)
def test_right_settings_pass(settings: Settings, values: dict[str, Any]) -> None:
    settings.HEALTH = values
    assert problems() == []
