"""What Prometheus says of alerts, as Alertmanager tells it."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from health.alerting import ledger, reported
from health.alerting.reported import Report
from health.alerting.rules import FAILING
from health.models import Alert

URL = "/api/alerts/hook"
TOKEN = "of Alertmanager, made of random bytes"
BEGAN, ENDED = "2026-11-24T03:10:07.123456789Z", "2026-11-24T03:20:00Z"
NEVER = "0001-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def hooked(settings: Settings) -> None:
    digest = sha256(TOKEN.encode()).hexdigest()
    settings.HEALTH = {**settings.HEALTH, "ALERTS": {"HOOK_TOKENS": [digest]}}


@pytest.fixture
def tell(client: Client, db: None) -> Callable[..., Any]:
    def post(*alerts: Any, token: str = TOKEN, **message: Any) -> Any:
        body = json.dumps({"version": "4", "alerts": alerts, **message})
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return client.post(URL, body, content_type="application/json", headers=headers)

    return post


def alert(status: str = "firing", *, began: str = BEGAN, **changed: Any) -> dict[str, Any]:
    labels = {
        "alertname": "LockLost", "pattern": "render:*", "severity": "ticket", "job": "mainstay",
    }  # fmt: skip
    return {
        "status": status,
        "labels": labels | changed.pop("labels", {}),
        "annotations": {"summary": "A lock was lost", "description": "Lost."},
        "startsAt": began,
        "endsAt": ENDED if status == "resolved" else NEVER,
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": "c51f8a6e4d2b9037",
        **changed,
    }


def test_an_alert_is_on_record_from_its_beginning_to_its_end(tell: Callable[..., Any]) -> None:
    answer = tell(alert(), receiver="mainstay", groupKey="{}:{}", truncatedAlerts=0)
    assert (answer.status_code, answer.json()) == (200, {"alerts": 1, "news": 1})
    row = Alert.objects.get()
    shown = (row.origin, row.alert, row.component, row.severity, row.state, row.summary)
    assert shown == (
        "prometheus", "LockLost", "render:*", "ticket", "firing", "A lock was lost"
    )  # fmt: skip
    assert row.fired_at == datetime(2026, 11, 24, 3, 10, 7, 123456, UTC)
    tell(alert("resolved"))
    row.refresh_from_db()
    assert (row.state, row.resolved_at) == ("quiet", datetime(2026, 11, 24, 3, 20, tzinfo=UTC))


LATER = "2026-11-24T04:00:00+00:30"  # half past three in UTC


@pytest.mark.parametrize(
    ("told", "news", "state", "hour"),
    [
        ([alert(), alert()], 1, "firing", "03:10"),
        ([alert("resolved"), alert()], 1, "quiet", "03:10"),
        ([alert(), alert("resolved"), alert("resolved")], 2, "quiet", "03:10"),
        ([alert(), alert(began=LATER)], 2, "firing", "03:30"),
        ([alert(began=LATER), alert("resolved")], 1, "firing", "03:30"),
        ([alert("resolved", endsAt=NEVER)], 1, "quiet", "03:10"),
        ([alert("resolved", endsAt=None)], 0, None, None),
    ],
    ids=["twice", "late", "over", "again", "of-an-earlier-one", "without-an-end", "no-time"],
)
def test_each_counts_once_however_often_and_late_it_is_told(
    tell: Callable[..., Any], told: list[Any], news: int, state: str | None, hour: str | None
) -> None:
    assert sum(tell(one).json().get("news", 0) for one in told) == news
    rows = [(row.state, f"{row.fired_at:%H:%M}") for row in Alert.objects.all() if row.fired_at]
    assert rows == ([(state, hour)] if state else [])
    # The same in one message, in whatever order.
    Alert.objects.all().delete()
    tell(*reversed(told))
    assert [(row.state, f"{row.fired_at:%H:%M}") for row in Alert.objects.all()] == rows


def test_it_decides_nothing_that_alerting_decides_by_itself(tell: Callable[..., Any]) -> None:
    own = Alert.objects.create(
        fingerprint="own", alert=FAILING, service="database", component="default",
        severity="page", state="firing", changed_at=timezone.now(),
    )  # fmt: skip
    same = {"alertname": FAILING, "service": "database", "severity": "page"}
    tell(alert(labels=same, fingerprint="own"))
    assert [record.labels.alert for record in ledger.live().values()] == [FAILING]
    tell(alert("resolved", labels=same, fingerprint="own"))
    own.refresh_from_db()
    assert (own.state, Alert.objects.count()) == ("firing", 2)


def test_a_heartbeat_is_nothing_to_look_at(tell: Callable[..., Any]) -> None:
    answer = tell(alert(labels={"alertname": "Watchdog", "severity": "heartbeat"}))
    assert answer.json() == {"alerts": 1, "news": 0}
    assert not Alert.objects.exists()


def test_what_is_too_long_for_a_column_is_cut(tell: Callable[..., Any]) -> None:
    long = dict.fromkeys(("alertname", "service", "instance", "severity", "pattern"), "ü" * 1000)
    assert tell(alert(labels=long)).status_code == 200
    assert Alert.objects.get().alert == "ü" * 59 + "…"


@pytest.mark.parametrize(
    ("token", "code"),
    [("", "not_authenticated"), ("another", "token_invalid"), ("ü", "token_invalid")],
)
def test_who_has_no_token_is_refused(tell: Callable[..., Any], token: str, code: str) -> None:
    answer = tell(alert(), token=token)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert not Alert.objects.exists()


def test_tokens_that_read_do_not_write(tell: Callable[..., Any], settings: Settings) -> None:
    reading = sha256(b"reads").hexdigest()
    settings.HEALTH = {**settings.HEALTH, "TOKENS": [reading]}
    assert tell(alert(), token="reads").status_code == 401
    for nobody in ({}, None):
        settings.HEALTH = {**settings.HEALTH, "ALERTS": nobody}
        assert tell(alert()).status_code == 401


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ([alert()] * 501, "alerts"),
        ([alert(status="pending")], "alerts.0.status"),
        ([alert(began="yesterday")], "alerts.0.startsAt"),
        ([alert(began="2026-11-31T00:00:00Z")], "alerts.0.startsAt"),
        ([alert(began="0001-01-01T00:00:00+10:00")], "alerts.0.startsAt"),
        ([alert(began="2026-11-24")], "alerts.0.startsAt"),
        ([alert(began=1795486207)], "alerts.0.startsAt"),
        ([alert(fingerprint="")], "alerts.0.fingerprint"),
        ([alert(fingerprint="f" * 65)], "alerts.0.fingerprint"),
        ([alert(fingerprint=7)], "alerts.0.fingerprint"),
        ([alert(labels={"alertname": "a\0b"})], "alerts.0.labels"),
        ([alert(labels={"alertname": None})], "alerts.0.labels"),
        ([alert(labels={"alertname": "a" * 4001})], "alerts.0.labels"),
        ([alert(labels={"a" * 201: "a"})], "alerts.0.labels"),
        ([alert(labels={f"a{n}": "a" for n in range(65)})], "alerts.0.labels"),
        ([alert(annotations=["a"])], "alerts.0.annotations"),
        (["alert"], "alerts.0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_alertmanager_says_is_refused(
    tell: Callable[..., Any], told: list[Any], field: str
) -> None:
    answer = tell(alert(fingerprint="right"), *told) if len(told) == 1 else tell(*told)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert all(
        one["field"].startswith(field.replace(".0", ".1")) for one in answer.json()["errors"]
    )
    assert not Alert.objects.exists()


def test_other_versions_and_large_bodies_are_refused(tell: Callable[..., Any]) -> None:
    assert tell(alert(), version="3").json()["errors"][0]["field"] == "version"
    assert tell(alert(), externalURL="a" * (1 << 20)).status_code == 413


def test_an_operator_sees_who_told_it(tell: Callable[..., Any], admin_client: Client) -> None:
    tell(alert())
    changelist = admin_client.get("/admin/health/alert/?origin=prometheus").content.decode()
    assert "render:*" in changelist
    assert ">Prometheus<" in changelist


def report(fingerprint: str, *, began: datetime, ended: datetime | None = None) -> Report:
    return Report(
        fingerprint=fingerprint, labels={"alertname": "A"}, summary="", began=began, ended=ended
    )


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_several_that_tell_at_once_the_latest_word_stays() -> None:
    began = timezone.now()
    names = [f"alert {n}" for n in range(5)]
    words = [
        [report(name, began=began + timedelta(hours=hour), ended=ended) for name in names]
        for hour in range(3)
        for ended in (None, began + timedelta(hours=hour, minutes=5))
    ]

    def tell(reports: list[Report]) -> None:
        try:
            reported.take(reports)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(tell, words))
    assert set(Alert.objects.values_list("state", "fired_at")) == {
        ("quiet", began + timedelta(hours=2))
    }
    assert Alert.objects.count() == len(names)


@pytest.mark.django_db
def test_after_a_while_it_is_forgotten() -> None:
    now = timezone.now()
    reported.take([report("old", began=now - timedelta(days=31)), report("new", began=now)])
    Alert.objects.create(
        fingerprint="own", alert=FAILING, severity="page", changed_at=now - timedelta(days=99)
    )
    assert reported.prune(days=30) == 1
    assert set(Alert.objects.values_list("origin", flat=True)) == {"own", "prometheus"}
