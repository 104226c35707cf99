"""``manage.py alerts``, as an operator types it."""

import io
import json
import logging
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django.fixtures import Settings

from health import control, durations
from health.alerting.memory import Memory, Notebook
from health.engine.host import this_host
from health.models import Alert, HealthTransition, Silence

from .receivers import listening
from .test_desk import broken_database
from .test_memory import RECORD


def alerts(*arguments: str) -> str:
    out = io.StringIO()
    call_command("alerts", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def results(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(alerts(*arguments, "--json"))["results"]
    return found


@pytest.fixture
def host(settings: Settings, tmp_path: Path) -> Path:
    """The runtime directory of a host where alerting is set up and no server runs."""
    settings.HEALTH = {
        "RUNTIME_DIR": tmp_path / "run",
        "SERVICES": ["database", "cache"],
        "ALERTS": {"WAITS": {"ServiceDegraded": 0}},
    }
    return tmp_path / "run"


def test_silences_are_added_listed_and_ended(db: None) -> None:
    [made] = results(
        "silence", "ServiceDegraded", "--service", "cache", "--for", "2h", "--reason", "moving"
    )
    assert (made["alert"], made["service"], made["reason"]) == (
        "ServiceDegraded", "cache", "moving",
    )  # fmt: skip
    assert re.fullmatch(r"\S+@\S+", made["author"])
    assert timedelta(hours=1) < Silence.objects.get().expires_at - timezone.now()
    assert results("silences") == [made]
    alerts("unsilence", str(made["id"]))
    assert results("silences") == []
    with pytest.raises(CommandError, match="no silence"):
        alerts("unsilence", str(made["id"]))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["silence", "NoSuchAlert", "--for", "2h", "--reason", "x"], "no alert NoSuchAlert"),
        (["silence", "all", "--for", "2h", "--reason", " "], "reason"),
        (["silence", "all", "--for", "0s", "--reason", "x"], "30 days"),
        (["silence", "all", "--for", "31d", "--reason", "x"], "30 days"),
        (["silence", "all", "--for", "soon", "--reason", "x"], "not a duration"),
        (["silence", "all", "--reason", "x"], "--for"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(
    db: None, arguments: list[str], complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        alerts(*arguments)
    assert not Silence.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_fires_is_listed_first(host: Path) -> None:
    for state, service in (("pending", "cache"), ("firing", "locks"), ("quiet", "disk")):
        Alert.objects.create(
            fingerprint=service, alert="ServiceDegraded", service=service, component="default",
            state=state, severity="ticket", changed_at=timezone.now(),
        )  # fmt: skip
    assert [row["service"] for row in results("list")] == ["locks", "cache"]
    assert [row["service"] for row in results("list", "--firing")] == ["locks"]
    assert alerts("list", "--firing").startswith("firing\tServiceDegraded\tlocks\t")


@pytest.mark.django_db(transaction=True)
def test_without_the_database_it_tells_what_the_host_knows(host: Path) -> None:
    Memory.of_this_host().keep(Notebook(records=(RECORD,)))
    with broken_database():
        assert [row["service"] for row in results("list")] == ["database"]


def test_history_is_shown_and_pruned(db: None) -> None:
    now = timezone.now()
    for hours in (1, 30, 24 * 40):
        HealthTransition.objects.create(
            service="cache", component="default", node="web-1", before="pass", after="fail",
            reason="refused", source="active", at=now - timedelta(hours=hours),
        )  # fmt: skip
    assert len(results("history")) == 1
    assert len(results("history", "cache", "--since", "2d")) == 2
    assert results("history", "locks") == []
    assert alerts("prune", "--batch", "1").startswith("1 ")
    assert alerts("prune", "--days", "1").startswith("1 ")
    assert HealthTransition.objects.count() == 1


def test_a_channel_can_be_tried(settings: Settings) -> None:
    with listening() as hook:
        settings.HEALTH = {"ALERTS": {"WEBHOOK_URL": hook.url}}
        assert "took it" in alerts("test", "webhook")
        [(_, body)] = hook.posts
        assert json.loads(body)["commonLabels"]["component"] == "this_is_a_test"
        hook.answer = 500
        with pytest.raises(CommandError, match="did not take it"):
            alerts("test", "webhook")
    with pytest.raises(CommandError, match="Set up: log, signal, webhook"):
        alerts("test", "mail")
    settings.HEALTH = {"ALERTS": None}
    with pytest.raises(CommandError, match="nobody is alerted"):
        alerts("test", "log")


@pytest.mark.django_db(transaction=True)
def test_one_round_is_made_where_no_server_runs(
    host: Path, settings: Settings, closed_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    away = {**settings.CACHES["default"], "LOCATION": f"redis://127.0.0.1:{closed_port}/0"}
    settings.CACHES = {**settings.CACHES, "away": away}
    settings.HEALTH = {**settings.HEALTH, "CACHE": "away"}
    [row] = results("evaluate", "--timeout", "30")
    assert (row["state"], row["service"], row["reason"]) == ("firing", "cache", "refused")
    assert "FIRING ServiceDegraded" in caplog.text
    settings.HEALTH = {**settings.HEALTH, "CACHE": "default"}
    caplog.clear()
    results("evaluate", "--timeout", "30")
    assert "RESOLVED ServiceDegraded" in caplog.text
    assert results("evaluate", "--timeout", "30") == []


def test_no_round_is_made_where_a_server_does_it(host: Path) -> None:
    place = this_host()
    assert place.leads()
    try:
        with pytest.raises(CommandError, match="alerts"):
            alerts("evaluate")
    finally:
        place.leave()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("10m", 600), ("1h30m", 5400), ("2d", 172_800), ("45", 45), (" 1m ", 60)],
)
def test_durations(text: str, seconds: float) -> None:
    assert durations.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "1x", "-5", "1.5h", "m5"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        durations.parse(text)


def test_verbs_are_there_for_other_doors(db: None) -> None:
    made = control.silence(author="ada", reason="moving", seconds=60)
    assert list(control.silences()) == [made]
