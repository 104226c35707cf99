"""``manage.py breakers``: 0 done, 1 refused, 2 could not be determined, or wrong usage."""

import getpass
import json
import socket
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error
from django.utils import timezone

from breaker import configs, control, doctor, documents, tables
from breaker.circuit import OVERRIDES, Verb
from breaker.conf import conf
from breaker.documents import Document
from breaker.durations import parse
from breaker.errors import (
    BreakerError,
    CircuitUnknown,
    CommandInvalid,
    ConfigUnknown,
    StaleEpoch,
)
from breaker.link import link
from breaker.pages import Page
from breaker.status import WORDS, CircuitStatus
from breaker.tables import printable

HELP = {
    Verb.OPEN: "Refuse every call.",
    Verb.CLOSE: "End an override and close the circuit.",
    Verb.DISABLE: "Admit every call and count none.",
    Verb.METRICS_ONLY: "Admit every call, count it and draw no conclusion.",
    Verb.AUTO: "End an override: the circuit goes on where it was.",
    Verb.RESET: "Close the circuit, and forget its past.",
}


def duration(text: str) -> float:
    try:
        return parse(text)
    except CommandInvalid as error:
        raise ArgumentTypeError(str(error)) from None


class Command(BaseCommand):
    help = "Look at circuits, open, close and override them, check their store."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listing = verbs.add_parser("list", help="All circuits, by name.")
        listing.add_argument("--state", choices=WORDS, default="", help="only those that are so")
        listing.add_argument("--contains", default="", help="only names with this in them")
        show = verbs.add_parser("show", help="One circuit, and the options in force.")
        history = verbs.add_parser("history", help="What a circuit went through, latest first.")
        commands = [_command(verbs, verb) for verb in Verb]
        config = verbs.add_parser("config", help="Options given to circuits at run time.")
        config.add_argument("pattern", metavar="PATTERN", nargs="?", help="a name, or imagen:*")
        config.add_argument(
            "options", metavar="OPTION=VALUE", nargs="*", type=option,
            help="such as open_timeout=30; nothing after the = takes it back",
        )  # fmt: skip
        config.add_argument("--remove", action="store_true", help="Take all of them back.")
        config.add_argument("--yes", action="store_true", help="Do not ask.")
        check = verbs.add_parser("doctor", help="Is the store fit to keep circuits?")
        for long in (listing, history):
            long.add_argument("--limit", type=int, default=50, help="at most 200 of them")
            long.add_argument("--cursor", help="of the next page")
        for about in (show, history, *commands):
            about.add_argument("name", metavar="NAME")
        for one in (listing, show, history, config, check, *commands):
            one.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *, verb: str, **options: Any) -> None:
        verbs: dict[str, Callable[..., None]] = {
            "list": self.show_all,
            "show": self.show,
            "history": self.history,
            "config": self.config,
            "doctor": self.doctor,
        }
        try:
            if verb in verbs:
                verbs[verb](**options)
            else:
                self.command(Verb(verb), **options)
        except (CircuitUnknown, ConfigUnknown, StaleEpoch) as error:
            raise failure(error, 1) from error
        except BreakerError as error:
            raise failure(error, 2) from error
        except Error as error:
            raise failure(f"The database does not answer: {error}", 2) from error

    def show_all(
        self, *, state: str, contains: str, limit: int, cursor: str | None, as_json: bool, **_: Any
    ) -> None:
        page = control.page(cursor=cursor, limit=limit, word=state, contains=contains)
        demand_store()
        if as_json:
            self.tell_page(page, documents.circuits(page.rows))
        else:
            self.stdout.write(tables.circuits(page.rows, now=timezone.now()))
            self.point_on(page)

    def show(self, *, name: str, as_json: bool, **_: Any) -> None:
        found = control.circuit(name)
        demand_store()
        self.tell_one(found, as_json=as_json)

    def history(
        self, *, name: str, limit: int, cursor: str | None, as_json: bool, **_: Any
    ) -> None:
        page = control.transitions(name, cursor=cursor, limit=limit)
        if as_json:
            self.tell_page(page, [documents.transition(row) for row in page.rows])
        else:
            self.stdout.write(tables.history(page.rows))
            self.point_on(page)

    def command(
        self, verb: Verb, *, name: str, reason: str, epoch: int | None, yes: bool, as_json: bool,
        lasting: float | None = None, **_: Any,
    ) -> None:  # fmt: skip
        demand_store()
        if not yes:
            control.circuit(name)  # or nobody is asked
        self.demand_yes(f"{verb.value} {printable(name)!r} for all processes?", yes=yes)
        done = control.act(
            name, verb, actor=actor(), reason=reason, expires_in=lasting, expected_epoch=epoch
        )
        if as_json:
            self.tell_one(done, as_json=True)
        else:
            self.stdout.write(f"{printable(done.name)} is {done.word} now, in epoch {done.epoch}")

    def config(
        self, *, pattern: str | None, options: list[tuple[str, Any]], remove: bool, yes: bool,
        as_json: bool, **_: Any,
    ) -> None:  # fmt: skip
        if remove and (options or pattern is None):
            raise CommandError("--remove takes a pattern and no options.", returncode=2)
        if pattern is not None and remove:
            rows = configs.rows_of(pattern)
            self.demand_yes(f"Take back the configuration of {printable(pattern)!r}?", yes=yes)
            configs.remove(pattern, actor=actor())
            rows = configs.rows_of(None)
        elif pattern is not None and options:
            configs.rehearse(pattern, dict(options))
            self.demand_yes(f"Configure {printable(pattern)!r} for all processes?", yes=yes)
            row = configs.save(pattern, dict(options), actor=actor())
            rows = [row] if row.options else []
        else:
            rows = configs.rows_of(pattern)
        if as_json:
            told = [documents.config(row) for row in rows]
            self.tell({"results": told, "next": None, "previous": None})
        else:
            self.stdout.write(tables.configs(rows))

    def doctor(self, *, as_json: bool, **_: Any) -> None:
        found = list(doctor.examine())
        if as_json:
            self.tell([asdict(finding) for finding in found])
        else:
            for finding in found:
                self.stdout.write(f"{finding.level:7} {finding.id}  {finding.message}")
                if finding.hint:
                    self.stdout.write(f"{'':22}{finding.hint}")
        if any(finding.level == "error" for finding in found):
            sys.exit(1)

    def demand_yes(self, question: str, *, yes: bool) -> None:
        if not yes and not self.sure(question):
            raise CommandError("Nothing was done.")

    def sure(self, question: str) -> bool:
        try:
            return input(f"{question} [y/N] ").lower() == "y"
        except EOFError:
            return False

    def tell_one(self, found: CircuitStatus, *, as_json: bool) -> None:
        if as_json:
            self.tell(documents.circuit(found))
        else:
            policy = control.policy(found.name)
            self.stdout.write(tables.circuit(found, policy, now=timezone.now()))

    def tell_page(self, page: Page[Any], rows: list[Document]) -> None:
        self.tell({"results": rows, "next": page.following, "previous": None})

    def point_on(self, page: Page[Any]) -> None:
        if page.following:
            self.stderr.write(f"More: --cursor {page.following}")

    def tell(self, document: Any) -> None:
        self.stdout.write(json.dumps(document))


def _command(verbs: Any, verb: Verb) -> ArgumentParser:
    parser: ArgumentParser = verbs.add_parser(verb.value, help=HELP[verb])
    parser.add_argument("--reason", required=True, help="kept on record")
    parser.add_argument("--epoch", type=int, help="Do it only in this epoch of the circuit.")
    parser.add_argument("--yes", action="store_true", help="Do not ask.")
    if verb in OVERRIDES:
        parser.add_argument(
            "--for", type=duration, dest="lasting", metavar="TIME", help="such as 10m or 2h"
        )
    return parser


def option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ArgumentTypeError(f"{text!r} is not like open_timeout=30")
    try:
        return name, json.loads(value) if value else None
    except ValueError:
        return name, value


def actor() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


def demand_store() -> None:
    """What this process alone sees of circuits is nothing: it calls nobody."""
    if link.shared() is None:
        raise failure(f"Cache {conf().cache!r} is not a django-redis cache: ask a process.", 2)
    if not control.shared():
        raise failure("The store of the circuits does not answer.", 2)


def failure(error: Exception | str, code: int) -> CommandError:
    return CommandError(printable(str(error)), returncode=code)
