import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from health.checks import check_openness, check_settings

from .probes import Fake

DIGEST = "ab" * 32
HERE = __name__


def partner() -> Fake:
    return Fake("partner")


def pretender() -> Fake:
    return Fake("database")


def route() -> Fake:
    return Fake("detailed")


def shouting() -> Fake:
    return Fake("Partner!")


def text() -> str:
    return "partner"


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
        ({"PROBES": [f"{HERE}.partner", f"{HERE}.partner"]}, "health.E006", "partner"),
        ({"PROBES": [f"{HERE}.pretender"]}, "health.E006", "database"),
        ({"PROBES": [f"{HERE}.route"]}, "health.E006", "detailed"),
        ({"PROBES": f"{HERE}.partner"}, "health.E002", "PROBES"),
        ({"PROBES": [f"{HERE}.nobody"]}, "health.E007", "nobody"),
        ({"PROBES": ["no_such_module.Probe"]}, "health.E007", "no_such_module"),
        ({"PROBES": [f"{HERE}.text"]}, "health.E007", "str"),
        ({"PROBES": ["health.Probe"]}, "health.E007", "abstract"),
        ({"PROBES": [f"{HERE}.shouting"]}, "health.E008", "Partner!"),
        ({"CRITICAL": "cache"}, "health.E002", "CRITICAL"),
        ({"CRITICAL": ["cache", "cache"]}, "health.E006", "cache"),
        ({"READY": None}, "health.E002", "READY"),
        ({"READY": ["cash"]}, "health.E005", "cash"),
        ({"READY": ["cache"], "SERVICES": ["locks"]}, "health.E005", "cache"),
        ({"READY": ["breakers"]}, "health.E011", "breakers"),
        ({"READY": ["database", "google_veo"]}, "health.E011", "google_veo"),
        ({"DISK": 3}, "health.E002", "DISK"),
        ({"ANONYMOUS": "everything"}, "health.E002", "ANONYMOUS"),
        ({"DETAILS": "never"}, "health.E002", "DETAILS"),
        ({"DETAILS": True}, "health.E002", "DETAILS"),
    ],
)
def test_a_wrong_setting_is_named(
    settings: Settings, values: dict[str, Any], expected: str, named: str
) -> None:
    settings.HEALTH = values
    [(number, message)] = problems()
    assert number == expected
    assert named in message


def test_a_runtime_directory_is_this_users_alone(settings: Settings, tmp_path: Path) -> None:
    settings.HEALTH = {"RUNTIME_DIR": tmp_path / "run"}
    assert problems() == []
    (tmp_path / "run").mkdir(mode=0o750)
    [(number, message)] = problems()
    assert (number, "0700" in message) == ("health.E010", True)
    settings.HEALTH = {"RUNTIME_DIR": 7}
    assert [number for number, _ in problems()] == ["health.E002"]


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
            "SERVICES": ["database", "cache", "partner"],
            "INTERVALS": {"cache": 2, "partner": 60},
            "DEADLINES": {"database": 3.5},
            "TOKENS": [DIGEST],
            "ALLOWED_CIDRS": ["10.0.0.0/8", "::1/128"],
            "DRAIN_SECONDS": 5,
            "PROBES": [f"{HERE}.partner"],
            "CRITICAL": ["cache", "partner"],
            "READY": [],
            "DISK": "/",
            "ANONYMOUS": "summary",
            "DETAILS": "always",
            "SERVICE_ID": "shop",
        },
    ],
)
def test_right_settings_pass(settings: Settings, values: dict[str, Any]) -> None:
    settings.HEALTH = values
    assert problems() == []


def test_services_end_at_thirty_two(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        maker = partial(Fake, f"partner_{number}")
        monkeypatch.setattr(sys.modules[HERE], f"partner_{number}", maker, raising=False)
    settings.HEALTH = {"PROBES": [f"{HERE}.partner_{number}" for number in range(30)]}
    [(number, message)] = problems()
    assert number == "health.E009"
    assert "more than 32" in message


def test_a_deployment_that_shows_everything_to_everybody_is_warned_of(settings: Settings) -> None:
    settings.HEALTH = {"DETAILS": "authorised"}
    assert check_openness() == []
    settings.HEALTH = {"DETAILS": "always"}
    assert [message.id for message in check_openness()] == ["health.W001"]
