"""A health document for people and for monitors: words and columns, and a code to exit with."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest

from health.verdict import Reason, Status, worst

Document = dict[str, Any]
Row = dict[str, Any]

CODES = {Status.PASS: 0, Status.WARN: 0, Status.FAIL: 1, Status.UNKNOWN: 2}
# Those of monitoring plugins.
NAGIOS_CODES = {Status.PASS: 0, Status.WARN: 1, Status.FAIL: 2, Status.UNKNOWN: 3}
NAGIOS_WORDS = {
    Status.PASS: "OK",
    Status.WARN: "WARNING",
    Status.FAIL: "CRITICAL",
    Status.UNKNOWN: "UNKNOWN",
}
COLUMNS = ("SERVICE", "COMPONENT", "STATUS", "SINCE", "LATENCY", "REASON")
UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def only(document: Document, services: list[str]) -> Document:
    """The part about these services; the overall word is then their worst."""
    checks = {name: document["checks"][name] for name in services}
    words = [word for rows in checks.values() for word in _words(rows)]
    return document | {"status": worst(words), "checks": checks}


def _words(rows: list[Row]) -> list[Status]:
    """Without what nobody configured."""
    return [
        Status(row["status"]) for row in rows
        if not _is_part(row) and row.get("reason") != Reason.NOT_CONFIGURED
    ]  # fmt: skip


def _is_part(row: Row) -> bool:
    """Of a check, which has a row and a word of its own."""
    return "componentId" in row and "critical" not in row


def table(document: Document, now: datetime) -> str:
    rows = [COLUMNS]
    for name, entries in document.get("checks", {}).items():
        rows += [(name, *_cells(entry, now)) for entry in entries]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, f"overall: {document['status']}"])


def _cells(row: Row, now: datetime) -> tuple[str, str, str, str, str]:
    return (
        row.get("componentId", "-"),
        row["status"],
        _ago(row["since"], now) if "since" in row else "-",
        f"{row['observedValue']} ms" if "observedValue" in row else "-",
        row.get("reason", "-"),
    )


def _ago(time: str, now: datetime) -> str:
    seconds = max(0, round((now - datetime.fromisoformat(time)).total_seconds()))
    size, unit = next((one for one in UNITS if seconds >= one[0]), UNITS[-1])
    return f"{seconds // size}{unit}"


def nagios(document: Document) -> str:
    """One line: what is not well, and how long each check took."""
    checks = document.get("checks", {})
    ailing = [
        f"{name} {row['status']}" + (f" ({row['reason']})" if "reason" in row else "")
        for name, rows in checks.items()
        for row in rows
        if not _is_part(row) and row["status"] in (Status.WARN, Status.FAIL)
    ]
    took = [
        f"'{name}/{row['componentId']}'={row['observedValue']}ms;;;0"
        for name, rows in checks.items()
        for row in rows
        if "observedValue" in row
    ]
    word = NAGIOS_WORDS[Status(document["status"])]
    said = f"HEALTH {word} - {', '.join(ailing) or f'{len(checks)} services'}"
    return f"{said} | {' '.join(took)}" if took else said


def nagios_trouble(why: str) -> str:
    return f"HEALTH {NAGIOS_WORDS[Status.UNKNOWN]} - {why}"


def openmetrics(document: Document) -> str:
    """For a textfile collector: gauges alone, as all counters are the servers' own."""
    registry = CollectorRegistry()
    registry.register(_Gauges(document))
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text.decode().rstrip("\n")


class _Gauges:
    def __init__(self, document: Document) -> None:
        self._checks: dict[str, list[Row]] = document.get("checks", {})

    def collect(self) -> Iterator[Metric]:
        states = GaugeMetricFamily(
            "health_status", "1 for the status shown, else 0.", labels=["service", "status"]
        )
        took = GaugeMetricFamily(
            "health_latency_seconds", "How long a check ran.", labels=["service", "component"]
        )
        for name, rows in self._checks.items():
            shown = worst(_words(rows))
            for status in Status:
                states.add_metric([name, status], float(status is shown))
            for row in rows:
                if "observedValue" in row:
                    took.add_metric([name, row["componentId"]], row["observedValue"] / 1000)
        yield states
        yield took
