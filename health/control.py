"""Verbs and views for operators; the doors (admin, commands) call these."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from . import registry
from .alerting import history, ledger, reported
from .alerting.book import OUT_OF_REACH, PATIENCE_SECONDS
from .alerting.channels import channels
from .alerting.deputy import Deputy
from .alerting.memory import Memory
from .alerting.mutes import FAILING
from .alerting.notices import Notice
from .alerting.notifier import desk, now, seen
from .alerting.rules import RULES
from .alerting.states import Labels, Record, State, Word
from .conf import alert_settings, conf
from .engine import direct
from .engine.host import this_host
from .errors import AlreadyAlerting, ChannelUnknown, SilenceInvalid, SilenceUnknown
from .models import HealthTransition, Silence

LONGEST_REASON, LONGEST_AUTHOR = 300, 150
LONGEST_SILENCE = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Standing:
    """All alerts that are not quiet; without the database, as this host knows them."""

    records: tuple[Record, ...]
    shared: bool


def alerts() -> Standing:
    try:
        found = Deputy("health-look").attempt(ledger.live, timeout=PATIENCE_SECONDS)
    except OUT_OF_REACH:
        known = Memory.of_this_host().recall().records
        return Standing(tuple(one for one in known if one.state is not State.QUIET), shared=False)
    return Standing(tuple(found.values()), shared=True)


def silence(
    *, alert: str = "", service: str = "", author: str, reason: str, seconds: float
) -> Silence:
    """Hold back notices of what matches; empty matches all. Raises SilenceInvalid."""
    if not len(reason.strip()) >= 1 or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise SilenceInvalid(f"A reason is one line of 1 to {LONGEST_REASON} characters.")
    if alert and alert not in RULES:
        raise SilenceInvalid(f"There is no alert {alert}. Known: {', '.join(RULES)}.")
    if not 1 <= seconds <= LONGEST_SILENCE:
        raise SilenceInvalid("A silence lasts from a second to 30 days.")
    begins = timezone.now()
    return Silence.objects.create(
        alert=alert,
        service=service,
        author=author[:LONGEST_AUTHOR],
        reason=reason,
        created_at=begins,
        expires_at=begins + timedelta(seconds=seconds),
    )


def unsilence(number: int) -> None:
    """End it now; it stays on record. Raises SilenceUnknown."""
    if not silences().filter(pk=number).update(expires_at=timezone.now()):
        raise SilenceUnknown(f"There is no silence {number} that lasts.")


def silences() -> QuerySet[Silence]:
    """Those that last."""
    return Silence.objects.filter(expires_at__gt=timezone.now())


def send_test(channel: str) -> bool:
    """Send a notice of nothing; whether it was taken. Raises ChannelUnknown, AlreadyAlerting."""
    wanted = alert_settings()
    if wanted is None:
        raise AlreadyAlerting("HEALTH['ALERTS'] is None, so nobody is alerted.")
    lines = {line.name: line for line in channels(wanted)}
    if channel not in lines:
        raise ChannelUnknown(f"There is no channel {channel}. Set up: {', '.join(lines)}.")
    moment = now()
    labels = Labels(alert=FAILING, service="test", component="this_is_a_test")
    record = Record(labels=labels, state=State.FIRING, fired_at=moment, changed_at=moment)
    return lines[channel].deliver([Notice(record, Word.FIRING)], pauses=())


def evaluate(*, timeout: float) -> Standing:
    """One round, for a host where no server runs: probe, decide, and say what is to be said.

    ``timeout`` is seconds for the probes. Raises AlreadyAlerting.
    """
    wanted = alert_settings()
    place = this_host()
    try:
        if wanted is None or not place.leads():
            raise AlreadyAlerting("A server of this host alerts, or HEALTH['ALERTS'] is None.")
        snapshot = direct.probe_now(registry.probes(), timeout=timeout)
        # There is no later round in this process to wait for.
        at_once = replace(wanted, group_seconds=0.0)
        found = desk(at_once, Memory.of_this_host())
        found.round([seen(check) for check in snapshot.checks], now())
        return Standing(tuple(found.records), shared=not found.alone)
    finally:
        place.leave()


def transitions(service: str = "", *, since: datetime | None = None) -> Iterator[HealthTransition]:
    """What changed, newest last."""
    rows = HealthTransition.objects.order_by("at", "id")
    rows = rows.filter(service=service) if service else rows
    return iter(rows.filter(at__gte=since) if since else rows)


def prune(*, days: float | None = None, batch: int = history.BATCH) -> int:
    """How many transitions were older than ``days``, or than the setting says.

    Alerts of Prometheus that are as old go with them.
    """
    oldest = conf().history_days if days is None else days
    reported.prune(days=oldest)
    return history.prune(days=oldest, batch=batch)
