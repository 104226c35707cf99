"""Where the alerts that the product sends by itself stand, for Prometheus."""

from collections import Counter
from collections.abc import Iterable

from health.metrics import ALERTS

from .rules import RULES
from .states import Record, State

# All others are quiet.
SHOWN = State.PENDING, State.FIRING, State.RESOLVED


def show(records: Iterable[Record]) -> None:
    found = Counter((record.labels.alert, record.state) for record in records)
    for alert in RULES:
        for state in SHOWN:
            ALERTS.labels(alert, state).set(found[alert, state])
