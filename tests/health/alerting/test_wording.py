from dataclasses import replace

import pytest

from health.alerting import wording
from health.alerting.notices import Notice
from health.alerting.states import Labels, Record, State, Told, Word

FIRED = 1_795_478_400.0  # 2026-11-24T00:00:00Z
DOWN = Record(
    labels=Labels(alert="ServiceCheckFailing", service="database", severity="page"),
    state=State.FIRING,
    reason="refused",
    fired_at=FIRED,
    changed_at=FIRED,
)
UP = replace(DOWN, state=State.RESOLVED, resolved_at=FIRED + 125, changed_at=FIRED + 125)
FULL = Record(
    labels=Labels(alert="ServiceDegraded", service="disk", component="data", node="web-1"),
    state=State.FIRING,
    reason="saturated",
    fired_at=FIRED,
    changed_at=FIRED,
)


def test_a_firing_alert_has_the_shape_of_alertmanagers() -> None:
    assert wording.payload([Notice(DOWN, Word.FIRING)], receiver="webhook") == {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "webhook",
        "groupLabels": {},
        "commonLabels": {
            "alertname": "ServiceCheckFailing", "service": "database", "component": "default",
            "severity": "page", "reason": "refused",
        },
        "commonAnnotations": {
            "summary": "database fails: refused.",
            "description": "FIRING ServiceCheckFailing (page): database fails: refused."
            " Since 2026-11-24T00:00:00Z.",
        },
        "externalURL": "",
        "alerts": [
            {
                "status": "firing",
                "labels": {
                    "alertname": "ServiceCheckFailing", "service": "database",
                    "component": "default", "severity": "page", "reason": "refused",
                },
                "annotations": {
                    "summary": "database fails: refused.",
                    "description": "FIRING ServiceCheckFailing (page): database fails: refused."
                    " Since 2026-11-24T00:00:00Z.",
                },
                "startsAt": "2026-11-24T00:00:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "",
                "fingerprint": DOWN.fingerprint[:16],
            }
        ],
    }  # fmt: skip


def test_a_recovery_says_how_long_it_took() -> None:
    document = wording.payload([Notice(UP, Word.RESOLVED)], receiver="webhook")
    (alert,) = document["alerts"]
    assert (document["status"], alert["status"]) == ("resolved", "resolved")
    assert alert["endsAt"] == "2026-11-24T00:02:05Z"
    assert alert["annotations"]["description"].endswith(
        "Over at 2026-11-24T00:02:05Z, after 2m 5s."
    )


def test_several_alerts_share_what_they_have_in_common() -> None:
    both = [Notice(UP, Word.RESOLVED), Notice(FULL, Word.FIRING)]
    document = wording.payload(both, receiver="webhook", runbook="https://docs.example/alerts")
    assert document["status"] == "firing"
    assert document["commonLabels"] == {}
    assert document["alerts"][1]["labels"]["node"] == "web-1"
    assert document["alerts"][1]["annotations"]["runbook_url"] == (
        "https://docs.example/alerts#servicedegraded"
    )
    assert wording.subject(both) == "[FIRING:1] disk"
    assert wording.text(both).count("\n") == 2
    assert "on web-1: disk data is degraded: saturated. Since" in wording.text(both)


def test_the_subject_of_good_news_says_so() -> None:
    assert wording.subject([Notice(UP, Word.RESOLVED)]) == "[RESOLVED:1] database"


def test_a_reminder_says_still() -> None:
    assert wording.line(Notice(DOWN, Word.FIRING, reminder=True)).endswith(
        "Still, since 2026-11-24T00:00:00Z."
    )


def test_the_same_news_is_the_same_delivery() -> None:
    known = replace(DOWN, told={"mail": Told(Word.FIRING, FIRED)})
    keys = [
        wording.delivery([Notice(DOWN, Word.FIRING)], "mail"),
        wording.delivery([Notice(DOWN, Word.FIRING)], "webhook"),
        wording.delivery([Notice(UP, Word.RESOLVED)], "mail"),
        wording.delivery([Notice(FULL, Word.FIRING)], "mail"),
        wording.delivery([Notice(known, Word.FIRING, reminder=True)], "mail"),
    ]
    assert len(set(keys)) == 5
    assert wording.delivery([Notice(replace(DOWN, reason="dns"), Word.FIRING)], "mail") == keys[0]


def test_a_signature_covers_time_and_body() -> None:
    signed = wording.signature(b"{}", secret="s" * 43, timestamp=1)
    assert len(signed) == 64
    assert signed != wording.signature(b"{}", secret="s" * 43, timestamp=2)
    assert signed != wording.signature(b"[]", secret="s" * 43, timestamp=1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.6, "1s"), (59, "59s"), (60, "1m 0s"), (3600, "1h 0m"), (90_000, "1d 1h")],
)
def test_a_duration_in_words(seconds: float, text: str) -> None:
    assert wording.spoken(seconds) == text
