"""From a check that changes to a message that somebody gets, and to the row that stays."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pytest_django.fixtures import Settings

from health.alerting import notifier
from health.alerting.memory import Memory
from health.alerting.notifier import Notifier
from health.conf import AlertSettings
from health.engine.checker import Checker
from health.engine.snapshot import Snapshot
from health.models import Alert, HealthTransition
from tests.health.conftest import eventually
from tests.health.probes import FAIL, PASS, Fake

from .receivers import Hook, listening

pytestmark = pytest.mark.django_db(transaction=True)
Run = Callable[..., Checker]
QUICK: dict[str, Any] = {
    "WAITS": {"ServiceCheckFailing": 0},
    "GROUP_SECONDS": 0,
    "FLOOR_SECONDS": 0,
}


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as hook:
        yield hook


@pytest.fixture
def alerting(hook: Hook, settings: Settings, tmp_path: Path, run: Run) -> Iterator[None]:
    """The notifier of whatever ``run`` starts; it is gone before the database is."""
    settings.HEALTH = {
        **settings.HEALTH,
        "ALERTS": {**QUICK, "WEBHOOK_URL": hook.url},
        "RUNTIME_DIR": tmp_path / "run",
    }
    notifier.connect()
    yield
    notifier.disconnect()
    running = notifier._running
    notifier.lead(leading=False)
    if running:
        running.join()


def said(hook: Hook) -> list[tuple[str, str]]:
    documents = [json.loads(body) for _, body in list(hook.posts)]
    return [
        (one["status"], one["labels"]["service"]) for post in documents for one in post["alerts"]
    ]


def test_an_outage_is_told_once_and_so_is_its_end(alerting: None, hook: Hook, run: Run) -> None:
    probe = Fake("billing", critical=True)
    run(probe, Fake("other"))
    probe.answer = lambda: FAIL
    eventually(lambda: said(hook) == [("firing", "billing")])
    probe.answer = lambda: PASS
    eventually(lambda: said(hook) == [("firing", "billing"), ("resolved", "billing")])
    eventually(lambda: not Alert.objects.exclude(state="quiet").exists())
    rows = HealthTransition.objects.filter(service="billing").order_by("at")
    eventually(lambda: [row.after for row in rows.all()][-1:] == ["pass"])
    assert [(row.before, row.after) for row in rows.all()] == [
        ("pass", "warn"), ("warn", "fail"), ("fail", "pass"),
    ]  # fmt: skip
    assert not HealthTransition.objects.filter(service="other").exists()
    assert len(said(hook)) == 2


def test_where_alerts_stand_is_in_the_metrics(alerting: None, hook: Hook, run: Run) -> None:
    def standing(state: str) -> float | None:
        labels = {"alert": "ServiceCheckFailing", "state": state}
        return REGISTRY.get_sample_value("alert_state", labels)

    probe = Fake("billing", lambda: FAIL, critical=True)
    run(probe)
    eventually(lambda: (standing("firing"), standing("pending")) == (1, 0))
    probe.answer = lambda: PASS
    eventually(lambda: said(hook)[-1:] == [("resolved", "billing")])
    eventually(lambda: (standing("firing"), standing("resolved")) == (0, 0))


def test_a_process_that_does_not_lead_keeps_quiet(alerting: None, run: Run) -> None:
    run(Fake("billing"))
    leading = notifier._running
    assert leading
    notifier.lead(leading=False)
    assert notifier._running is None
    leading.join()


def test_without_alerts_there_is_no_thread(alerting: None, settings: Settings, run: Run) -> None:
    settings.HEALTH = {**settings.HEALTH, "ALERTS": None}
    run(Fake("billing"))
    assert notifier._running is None


def test_it_goes_on_after_an_error(caplog: pytest.LogCaptureFixture, alerting: None) -> None:
    looks: list[int] = []

    def look() -> Snapshot:
        looks.append(1)
        raise RuntimeError("boom")

    running = Notifier(lambda: notifier.desk(AlertSettings(), Memory(None)), look)
    eventually(lambda: len(looks) >= 2)
    running.stop()
    running.join()
    assert "alerting goes on after an error" in caplog.text


def test_a_start_that_finds_what_was_there_before_is_no_news(
    alerting: None, hook: Hook, run: Run
) -> None:
    """And what came to nobody's ears before the end is on record at the next start."""
    for _ in range(2):
        running = run(Fake("billing", lambda: FAIL, critical=True))
        alone = notifier._running
        running.stop()
        assert alone
        alone.join()
    probe = Fake("billing", lambda: FAIL, critical=True)
    run(probe)
    eventually(lambda: said(hook) == [("firing", "billing")])
    probe.answer = lambda: PASS
    eventually(lambda: HealthTransition.objects.count() == 2)
    rows = HealthTransition.objects.order_by("at").values_list("before", "after")
    assert list(rows) == [("unknown", "fail"), ("fail", "pass")]
