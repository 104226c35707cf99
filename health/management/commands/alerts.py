"""``manage.py alerts``: what is wrong, what changed, and who is to hear of it."""

import getpass
import json
import socket
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from django.utils import timezone

from health import control, durations
from health.alerting.states import Record, State
from health.errors import HealthError
from health.models import HealthTransition, Silence

Row = dict[str, Any]


def duration(text: str) -> float:
    try:
        return durations.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


class Command(BaseCommand):
    help = "Look at alerts and at what changed, silence them, try a channel."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listing = verbs.add_parser("list", help="What is pending, firing, or just over.")
        listing.add_argument("--firing", action="store_true", help="only what fires")
        past = verbs.add_parser("history", help="What checks showed, newest last.")
        past.add_argument("service", nargs="?", default="", metavar="SERVICE")
        past.add_argument("--since", type=duration, default=86_400.0, metavar="TIME")
        silences = verbs.add_parser("silences", help="Those that last.")
        silence = verbs.add_parser("silence", help="Hold back notices for a while.")
        silence.add_argument("alert", metavar="ALERT", help="its name, or all")
        silence.add_argument("--service", default="", help="only of this one")
        silence.add_argument("--for", type=duration, dest="lasting", required=True, metavar="TIME")
        silence.add_argument("--reason", required=True, help="kept on record")
        unsilence = verbs.add_parser("unsilence", help="End a silence now.")
        unsilence.add_argument("number", type=int, metavar="NUMBER")
        test = verbs.add_parser("test", help="Send a notice of nothing.")
        test.add_argument("channel", metavar="CHANNEL", help="log, signal, mail or webhook")
        evaluate = verbs.add_parser("evaluate", help="One round, where no server runs; for cron.")
        evaluate.add_argument("--timeout", type=float, default=5.0, metavar="SECONDS")
        prune = verbs.add_parser("prune", help="Delete old rows of the history.")
        prune.add_argument("--days", type=float, help="older than this; else as the setting says")
        prune.add_argument("--batch", type=int, default=1000, help="rows of one DELETE")
        for one in (listing, past, silences, silence, evaluate):
            one.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *, verb: str, **options: Any) -> None:
        verbs: dict[str, Callable[..., None]] = {
            "list": self.show,
            "history": self.show_history,
            "silences": self.show_silences,
            "silence": self.add_silence,
            "unsilence": self.end_silence,
            "test": self.try_channel,
            "evaluate": self.evaluate,
            "prune": self.prune,
        }
        try:
            verbs[verb](**options)
        except HealthError as error:
            raise CommandError(str(error)) from error
        except Error as error:
            message = f"The database does not answer: {type(error).__name__}."
            raise CommandError(message, returncode=2) from error

    def show(self, *, firing: bool, as_json: bool, **_: Any) -> None:
        self._tell_standing(control.alerts(), as_json=as_json, firing=firing)

    def show_history(self, *, service: str, since: float, as_json: bool, **_: Any) -> None:
        begin = timezone.now() - timedelta(seconds=since)
        self._tell(map(_change, control.transitions(service, since=begin)), as_json=as_json)

    def show_silences(self, *, as_json: bool, **_: Any) -> None:
        self._tell(map(_silence, control.silences()), as_json=as_json)

    def add_silence(
        self, *, alert: str, service: str, lasting: float, reason: str, as_json: bool, **_: Any
    ) -> None:
        made = control.silence(
            alert="" if alert == "all" else alert,
            service=service,
            author=f"{getpass.getuser()}@{socket.gethostname()}",
            reason=reason,
            seconds=lasting,
        )
        self._tell([_silence(made)], as_json=as_json)

    def end_silence(self, *, number: int, **_: Any) -> None:
        control.unsilence(number)
        self.stdout.write(f"Silence {number} is over.")

    def try_channel(self, *, channel: str, **_: Any) -> None:
        if not control.send_test(channel):
            raise CommandError(f"{channel} did not take it; the log says why.")
        self.stdout.write(f"{channel} took it.")

    def evaluate(self, *, timeout: float, as_json: bool, **_: Any) -> None:
        self._tell_standing(control.evaluate(timeout=timeout), as_json=as_json)

    def prune(self, *, days: float | None, batch: int, **_: Any) -> None:
        self.stdout.write(f"{control.prune(days=days, batch=batch)} transitions deleted.")

    def _tell_standing(
        self, standing: control.Standing, *, as_json: bool, firing: bool = False
    ) -> None:
        if not standing.shared:
            self.stderr.write("Without the database: what this host alone knows.")
        wanted = (State.FIRING,) if firing else (State.PENDING, State.FIRING, State.RESOLVED)
        rows = sorted((one for one in standing.records if one.state in wanted), key=_urgency)
        self._tell(map(_alert, rows), as_json=as_json)

    def _tell(self, rows: Iterable[Row], *, as_json: bool) -> None:
        found = list(rows)
        if as_json:
            document = {"results": found, "next": None, "previous": None}
            self.stdout.write(json.dumps(document))
        else:
            for row in found:
                self.stdout.write("\t".join(str(value or "-") for value in row.values()))


def _urgency(record: Record) -> tuple[bool, float]:
    return record.state is not State.FIRING, record.changed_at


def _alert(record: Record) -> Row:
    labels = record.labels
    return {
        "state": record.state,
        "alert": labels.alert,
        "service": labels.service,
        "component": labels.component,
        "node": labels.node,
        "severity": labels.severity,
        "reason": record.reason,
        "since": _moment(record.since),
        "fired_at": _moment(record.fired_at),
        "resolved_at": _moment(record.resolved_at if record.state is State.RESOLVED else 0),
    }


def _silence(silence: Silence) -> Row:
    return {
        "id": silence.pk,
        "alert": silence.alert,
        "service": silence.service,
        "author": silence.author,
        "reason": silence.reason,
        "expires_at": _moment(silence.expires_at.timestamp()),
    }


def _change(change: HealthTransition) -> Row:
    return {
        "at": _moment(change.at.timestamp()),
        "service": change.service,
        "component": change.component,
        "node": change.node,
        "before": change.before,
        "after": change.after,
        "reason": change.reason,
        "source": change.source,
    }


def _moment(seconds: float) -> str | None:
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")[:-6] + "Z"
