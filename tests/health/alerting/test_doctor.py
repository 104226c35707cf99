from dataclasses import replace
from typing import Any

import pytest

from health.alerting.doctor import Facts, examine, judged
from health.findings import Level

MAILED = {"recipients": 2, "webhook": ""}
CONSOLE = "django.core.mail.backends.console.EmailBackend"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        (MAILED, None),
        ({"webhook": ""}, ("health.D004", "warning")),
        ({"webhook": "", "alerting": False}, None),
        (MAILED | {"backend": CONSOLE}, ("health.D005", "error")),
        ({"backend": CONSOLE, "timeout": None}, None),
        (MAILED | {"timeout": None}, ("health.D006", "warning")),
        (MAILED | {"timeout": 60.0}, ("health.D006", "warning")),
        ({"webhook": "http://alerts.example/"}, ("health.D007", "warning")),
        ({"webhook": "http://127.0.0.1:9000/"}, None),
        ({"secret": False}, ("health.D007", "warning")),
    ],
    ids=[
        "good", "mailed", "nobody", "left", "console", "no-mail", "endless", "patient", "clear",
        "loopback", "unsigned",
    ],
)  # fmt: skip
def test_each_fault_has_a_finding(
    changes: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    found = list(judged(replace(Facts(), **changes)))
    bad = [one for one in found if one.level is not Level.OK]
    assert all(one.hint for one in bad)
    assert [(one.id, str(one.level)) for one in bad] == ([expected] if expected else [])
    assert len(found) == 4


def test_it_looks_at_the_settings_and_repeats_no_secret(settings: Any) -> None:
    settings.HEALTH = {
        "ALERTS": {
            "EMAILS": ["ada@example.com"],
            "WEBHOOK_URL": "http://alerts.example/?key=hunter2",
            "WEBHOOK_SECRET": "another",
        }
    }
    settings.EMAIL_BACKEND = CONSOLE
    found = list(examine())
    assert [str(one.level) for one in found] == ["ok", "error", "ok", "warning"]
    told = repr(found)
    assert "hunter2" not in told
    assert "another" not in told
    settings.HEALTH = {"ALERTS": None}
    assert {one.level for one in examine()} == {Level.OK}
