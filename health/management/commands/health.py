"""``manage.py health``: 0 pass or warn, 1 fail, 2 could not be determined."""

import json
import math
import os
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from health import registry
from health.endpoints import pages
from health.engine import direct
from health.engine.published import published
from health.engine.snapshot import Snapshot
from health.identity import this_process
from health.management import remote, reports
from health.management.reports import CODES, NAGIOS_CODES, Document
from health.verdict import Status

PAUSE_SECONDS = 0.5
INTERRUPTED = 130
NOBODY = "No server of this host tells what it knows; --direct probes from here."
CLEAR = "\x1b[H\x1b[2J"
FORMS: dict[str, Callable[[Document], str]] = {
    "table": lambda document: reports.table(document, datetime.now(UTC)),
    "nagios": reports.nagios,
    "openmetrics": reports.openmetrics,
    "json": json.dumps,
}


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    code: int
    is_trouble: bool = False
    """Nothing could be found out, and the text says why."""


class Command(BaseCommand):
    help = (
        "What the servers of this host know of services, what a server at an address knows, or "
        "what is found from here. Exit 0 pass or warn, 1 fail, 2 unknown."
    )
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Leave at once: a thread stuck in a driver or a resolver must not hold up the exit."""
        try:
            super().run_from_argv(argv)
            code = 0
        except SystemExit as leave:
            code = int(leave.code or 0)
        except KeyboardInterrupt:
            code = INTERRUPTED
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("services", nargs="*", metavar="SERVICE")
        source = parser.add_mutually_exclusive_group()
        source.add_argument("--direct", action="store_true", help="probe from here")
        source.add_argument("--http", metavar="URL", help="ask the server at this address")
        parser.add_argument("--token-file", type=Path, metavar="FILE", help="for --http")
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--format", choices=[name for name in FORMS if name != "json"])
        form.add_argument(
            "--json", action="store_const", const="json", dest="format",
            help="the document of /health/detailed",
        )  # fmt: skip
        again = parser.add_mutually_exclusive_group()
        again.add_argument("--watch", nargs="?", type=seconds, const=2.0, metavar="SECONDS")
        again.add_argument("--wait", type=seconds, metavar="SECONDS", help="for this to exit 0")
        parser.add_argument(
            "--fail-on", choices=["warn", "fail"], default="fail", help="exit 1 from this word on"
        )
        parser.add_argument("--timeout", type=seconds, default=5.0, metavar="SECONDS")

    def handle(self, *, watch: float | None, wait: float | None, **options: Any) -> None:
        until = time.monotonic() + (wait or 0)
        answer = self._answer(options)
        while watch or (answer.code and time.monotonic() < until):
            if watch:
                self._say(answer, again=True)
            time.sleep(watch or PAUSE_SECONDS)
            answer = self._answer(options)
        self._say(answer)
        if answer.code:
            sys.exit(answer.code)

    def _say(self, answer: Answer, *, again: bool = False) -> None:
        out = self.stderr if answer.is_trouble else self.stdout
        out.write(CLEAR + answer.text if again and out.isatty() else answer.text)
        out.flush()

    def _answer(self, options: dict[str, Any]) -> Answer:
        form, monitored = options["format"] or "table", options["format"] == "nagios"
        try:
            document = self._document(options)
        except remote.NoAnswer as error:
            if monitored:
                return Answer(reports.nagios_trouble(str(error)), NAGIOS_CODES[Status.UNKNOWN])
            return Answer(str(error), CODES[Status.UNKNOWN], is_trouble=True)
        word = Status(document["status"])
        code = NAGIOS_CODES[word] if monitored else CODES[word]
        if word is Status.WARN and options["fail_on"] == "warn":
            code = code or CODES[Status.FAIL]
        return Answer(FORMS[form](document), code)

    def _document(self, options: dict[str, Any]) -> Document:
        services: list[str] = options["services"]
        if url := options["http"]:
            token = read_token(options["token_file"])
            document = remote.ask(url, timeout=options["timeout"], token=token)
        elif options["direct"]:
            document = written(found_here(services, timeout=options["timeout"]))
        elif snapshot := published():
            document = written(snapshot)
        else:
            raise remote.NoAnswer(NOBODY)
        refuse_unknown(services, document.get("checks", {}))
        return reports.only(document, services) if services else document


def found_here(services: list[str], *, timeout: float) -> Snapshot:
    probes = registry.probes()
    refuse_unknown(services, [probe.name for probe in probes])
    wanted = [probe for probe in probes if not services or probe.name in services]
    return direct.probe_now(wanted, timeout=timeout)


def written(snapshot: Snapshot) -> Document:
    _, details = pages.render(snapshot, this_process()).detailed
    document: Document = json.loads(details.body())
    del document["uptime"]  # which is that of a server
    return document


def refuse_unknown(services: list[str], known: Collection[str]) -> None:
    unknown = ", ".join(name for name in services if name not in known)
    if unknown:
        message = f"No such service: {unknown}. Known: {', '.join(known)}."
        raise CommandError(message, returncode=2)


def read_token(file: Path | None) -> str:
    try:
        return file.read_text().strip() if file else ""
    except (OSError, ValueError) as error:
        raise CommandError(f"--token-file: {error}", returncode=2) from None


def seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < math.inf:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return found
