from typing import Any

import pytest
from pytest_django.fixtures import Settings

from health.alerting.checks import check_alerts
from health.checks import check_settings


@pytest.mark.parametrize(
    ("values", "expected", "named"),
    [
        ({"WEBHOK_URL": ""}, "health.E001", "WEBHOK_URL"),
        ({"EMAILS": "ops@example.com"}, "health.E002", "EMAILS"),
        ({"EMAILS": ["ops"]}, "health.E002", "EMAILS"),
        ({"WEBHOOK_URL": "ftp://alerts.example/hunter2"}, "health.E002", "WEBHOOK_URL"),
        ({"WEBHOOK_URL": "http://alerts.example:hunter2/"}, "health.E002", "WEBHOOK_URL"),
        ({"WEBHOOK_URL": "hunter2"}, "health.E002", "WEBHOOK_URL"),
        ({"WAITS": {"ServiceFailing": 5}}, "health.E005", "ServiceFailing"),
        ({"WAITS": {"ServiceDegraded": -5}}, "health.E002", "ServiceDegraded"),
        ({"WAITS": {"ServiceDegraded": "5"}}, "health.E002", "ServiceDegraded"),
        ({"GROUP_SECONDS": -1}, "health.E002", "GROUP_SECONDS"),
    ],
)
def test_a_wrong_setting_of_alerts_is_named(
    settings: Settings, values: dict[str, Any], expected: str, named: str
) -> None:
    settings.HEALTH = {"ALERTS": values}
    [message] = check_alerts()
    assert message.id == expected
    assert named in message.msg
    assert "hunter2" not in str(message)


@pytest.mark.parametrize(
    "values",
    [
        None,
        {},
        {
            "WEBHOOK_URL": "https://alerts.example/hook?key=x",
            "WEBHOOK_SECRET": "s",
            "EMAILS": ["ops@example.com"],
            "WAITS": {"ServiceDegraded": 0},
            "GROUP_SECONDS": 0,
            "REMIND_SECONDS": 60,
            "FLOOR_SECONDS": 1.5,
            "RUNBOOK": "https://docs.example/alerts",
        },
    ],
    ids=["none", "empty", "full"],
)
def test_right_settings_of_alerts_pass(settings: Settings, values: dict[str, Any] | None) -> None:
    settings.HEALTH = {"ALERTS": values}
    assert check_settings() == []
    assert check_alerts() == []


@pytest.mark.parametrize("values", [{"ALERTZ": {}}, {"ALERTS": []}])
def test_other_errors_are_told_once(settings: Settings, values: dict[str, Any]) -> None:
    settings.HEALTH = values
    assert len(check_settings()) == 1
    assert check_alerts() == []
