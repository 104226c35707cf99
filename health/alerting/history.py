"""What changed on a node, as rows: written when the database can take them, kept for a while."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from health.models import HealthTransition
from health.verdict import Status

# Rows that one DELETE takes.
BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """``at`` is Unix seconds."""

    service: str
    component: str
    node: str
    before: str
    after: str
    reason: str
    source: str
    at: float


def write(transitions: Iterable[Transition]) -> None:
    """One that is there already is left alone."""
    rows = [_row(transition) for transition in _news(transitions)]
    HealthTransition.objects.bulk_create(rows, ignore_conflicts=True)


def prune(*, days: float, batch: int = BATCH) -> int:
    """How many went. In small deletes, because a large one keeps everybody else waiting."""
    old = HealthTransition.objects.filter(at__lt=timezone.now() - timedelta(days=days))
    gone = 0
    while keys := list(old.order_by().values_list("pk", flat=True)[:batch]):
        gone += HealthTransition.objects.filter(pk__in=keys).delete()[0]
    return gone


def _news(transitions: Iterable[Transition]) -> Iterator[Transition]:
    """A process that starts knows nothing, so its first result may be no change at all."""
    shown: dict[tuple[str, str, str], str] = {}
    for transition in transitions:
        place = transition.service, transition.component, transition.node
        before = transition.before
        if before == Status.UNKNOWN:
            before = shown.get(place) or _last(transition)
        if before != transition.after:
            yield replace(transition, before=before)
        shown[place] = transition.after


def _last(transition: Transition) -> str:
    """What the node showed last, as far as is on record; that all was well is no news."""
    rows = HealthTransition.objects.filter(
        service=transition.service, component=transition.component, node=transition.node
    )
    row = rows.order_by("-at").first()
    if row is None:
        return Status.PASS if transition.after == Status.PASS else Status.UNKNOWN
    return row.after


def _row(transition: Transition) -> HealthTransition:
    return HealthTransition(
        service=transition.service,
        component=transition.component,
        node=transition.node,
        before=transition.before,
        after=transition.after,
        reason=transition.reason,
        source=transition.source,
        at=datetime.fromtimestamp(transition.at, UTC),
    )
