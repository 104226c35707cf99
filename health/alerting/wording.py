"""A message in words, and in the shape of Alertmanager's webhook (version 4).

It says what fails, since when, and why in one word of a closed list: no error's text, no address
of a dependency, no secret can get in.
"""

import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from .notices import Notice
from .rules import RULES
from .states import Record, Word

NEVER = "0001-01-01T00:00:00Z"
UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


def payload(notices: Iterable[Notice], *, receiver: str, runbook: str = "") -> dict[str, Any]:
    alerts = [_alert(notice, runbook) for notice in notices]
    firing = any(alert["status"] == Word.FIRING for alert in alerts)
    return {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": Word.FIRING if firing else Word.RESOLVED,
        "receiver": receiver,
        "groupLabels": {},
        "commonLabels": _common(alert["labels"] for alert in alerts),
        "commonAnnotations": _common(alert["annotations"] for alert in alerts),
        "externalURL": "",
        "alerts": alerts,
    }


def encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def delivery(notices: Iterable[Notice], channel: str) -> str:
    """The same for the same news, so that a receiver knows it if it comes again after a crash."""
    parts = [channel]
    for notice in notices:
        record = notice.record
        last = record.told[channel].at if notice.reminder else 0.0
        parts += [record.fingerprint, notice.word, repr(record.changed_at), repr(last)]
    return sha256("\0".join(parts).encode()).hexdigest()[:32]


def signature(body: bytes, *, secret: str, timestamp: int) -> str:
    """HMAC-SHA-256 over ``timestamp.body``, in hex."""
    return hmac.new(secret.encode(), b"%d.%b" % (timestamp, body), "sha256").hexdigest()


def subject(notices: list[Notice]) -> str:
    firing = [notice for notice in notices if notice.word is Word.FIRING]
    word = "FIRING" if firing else "RESOLVED"
    services = sorted({notice.record.labels.service for notice in firing or notices})
    return f"[{word}:{len(firing or notices)}] {', '.join(services)}"


def text(notices: list[Notice]) -> str:
    return "\n".join(line(notice) for notice in notices) + "\n"


def line(notice: Notice) -> str:
    record, labels = notice.record, notice.record.labels
    where = f" on {labels.node}" if labels.node else ""
    began = _moment(record.fired_at)
    if notice.word is Word.RESOLVED:
        tail = f"Over at {_moment(record.resolved_at)}, after {spoken(lasted(record))}."
    elif notice.reminder:
        tail = f"Still, since {began}."
    else:
        tail = f"Since {began}."
    return f"{notice.word.upper()} {labels.alert} ({labels.severity}){where}: {told(record)} {tail}"


def told(record: Record) -> str:
    return RULES[record.labels.alert].summary.format(
        service=_place(record), component=record.labels.component, reason=record.reason or "unknown"
    )


def lasted(record: Record) -> float:
    return max(record.resolved_at - record.fired_at, 0.0)


def spoken(seconds: float) -> str:
    """Two units at most: ``2h 5m``, ``41s``."""
    counts, rest = [], round(seconds)
    for unit, size in UNITS.items():
        counts.append((rest // size, unit))
        rest %= size
    first = next((place for place, (count, _) in enumerate(counts) if count), len(counts) - 1)
    return " ".join(f"{count}{unit}" for count, unit in counts[first : first + 2])


def _alert(notice: Notice, runbook: str) -> dict[str, Any]:
    record, labels = notice.record, notice.record.labels
    over = notice.word is Word.RESOLVED
    annotations = {"summary": told(record), "description": line(notice)}
    if runbook:
        annotations["runbook_url"] = f"{runbook}#{labels.alert.lower()}"
    named = {
        "alertname": labels.alert,
        "service": labels.service,
        "component": labels.component,
        "severity": labels.severity,
        "reason": record.reason,
        "node": labels.node,
    }
    return {
        "status": notice.word,
        "labels": {name: value for name, value in named.items() if value},
        "annotations": annotations,
        "startsAt": _moment(record.fired_at),
        "endsAt": _moment(record.resolved_at) if over else NEVER,
        "generatorURL": "",
        "fingerprint": record.fingerprint[:16],
    }


def _place(record: Record) -> str:
    labels = record.labels
    return (
        labels.service if labels.component == "default" else f"{labels.service} {labels.component}"
    )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")[:-6] + "Z"


def _common(members: Iterable[Mapping[str, str]]) -> dict[str, str]:
    first, *others = members
    return {
        name: value
        for name, value in first.items()
        if all(other.get(name) == value for other in others)
    }
