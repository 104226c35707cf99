"""Circuits on the operations page: as the snapshot has them, what is not closed first."""

from collections.abc import Mapping
from datetime import UTC, datetime

from django.urls import reverse
from django.utils.http import urlencode

from health.engine.snapshot import Snapshot
from health.operations.panels import MOST_ROWS, Form, Listing, Panel, Row
from health.verdict import CheckResult

from .breaker import Breakers

Values = Mapping[str, str | float | None]

UNKNOWN = "Nobody can tell now which circuits there are."
LOCAL = "The store of the circuits does not answer: this is what one process sees."


def panel() -> Panel:
    return Panel(
        name="breakers",
        title="Circuit breakers",
        subject="Circuit",
        columns=(
            ("Failed", Form.SHARE),
            ("Calls", Form.NUMBER),
            ("Refused", Form.NUMBER),
            ("Retry in", Form.UNTIL),
            ("Open since", Form.SINCE),
        ),
        permissions=("breaker.view_breakerstate", "breaker.command"),
        everything="admin:breaker_breakerstate_changelist",
        calm="No circuit is in use yet.",
        look=look,
    )


def look(snapshot: Snapshot) -> Listing:
    results = [check.result for check in snapshot.of(Breakers.name)]
    circuits = [part for result in results for part in result.parts]
    return Listing(
        rows=tuple(map(_row, circuits[:MOST_ROWS])),
        more=len(circuits) > MOST_ROWS,
        trouble=_trouble([result.values for result in results]),
    )


def _trouble(values: list[Values]) -> str:
    if not any("circuits" in one for one in values):
        return UNKNOWN  # not looked yet, or in vain: that is not the same as none
    return LOCAL if any(one.get("circuitSource") == "local" for one in values) else ""


def _row(circuit: CheckResult) -> Row:
    values = circuit.values
    calls, failures = float(values["calls"] or 0), float(values["failures"] or 0)
    page = reverse("admin:breaker_breakerstate_circuit")
    return Row(
        status=circuit.status,
        word=str(values["state"]).replace("_", " "),
        name=circuit.component,
        href=f"{page}?{urlencode({'name': circuit.component})}",
        cells=(
            failures / calls if calls else None,
            calls,
            float(values["rejected"] or 0),
            _moment(values, "openUntil"),
            _moment(values, "openedAt"),
        ),
    )


def _moment(values: Values, name: str) -> datetime | None:
    seconds = values[name]
    return None if seconds is None else datetime.fromtimestamp(round(float(seconds)), UTC)
