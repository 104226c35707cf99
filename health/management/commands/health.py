"""``manage.py health``: 0 pass or warn, 1 fail, 2 could not be determined."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError

from health import direct, pages, registry, remote
from health.identity import this_process
from health.management.leaving import LeavesAtOnce
from health.verdict import Status, worst


class Command(LeavesAtOnce):
    help = "Probe services here or ask a running server. Exit 0 pass or warn, 1 fail, 2 unknown."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("services", nargs="*", metavar="SERVICE")
        parser.add_argument("--json", action="store_true", help="the document of /health/detailed")
        source = parser.add_mutually_exclusive_group()
        source.add_argument("--direct", action="store_true", help="probe from here (the default)")
        source.add_argument("--http", metavar="URL", help="ask the server at this address")
        parser.add_argument("--timeout", type=float, default=5.0, metavar="SECONDS")

    def handle(self, *, services: list[str], timeout: float, **options: Any) -> None:
        try:
            document = self._ask(options["http"], services, timeout)
        except remote.NoAnswer as error:
            self.stderr.write(str(error))
            sys.exit(2)
        self.stdout.write(json.dumps(document) if options["json"] else table(document))
        if document["status"] == Status.FAIL:
            sys.exit(1)

    def _ask(self, url: str | None, services: list[str], timeout: float) -> dict[str, Any]:
        if url is None:
            document = self._probe(services, timeout)
        else:
            document = remote.ask(url, timeout=timeout)
        self._refuse_unknown(services, document.get("checks", {}))
        return only(document, services) if services else document

    def _probe(self, services: list[str], timeout: float) -> dict[str, Any]:
        probes = registry.probes()
        self._refuse_unknown(services, dict.fromkeys(probe.name for probe in probes))
        wanted = [probe for probe in probes if not services or probe.name in services]
        snapshot = direct.probe_now(wanted, timeout=timeout)
        _, details = pages.render(snapshot, this_process()).detailed
        document: dict[str, Any] = json.loads(details.body())
        return document

    def _refuse_unknown(self, services: list[str], known: Mapping[str, Any]) -> None:
        unknown = ", ".join(name for name in services if name not in known)
        if unknown:
            message = f"No such service: {unknown}. Known: {', '.join(known)}."
            raise CommandError(message, returncode=2)


def only(document: dict[str, Any], services: list[str]) -> dict[str, Any]:
    """The part about these services; the overall word is then their worst."""
    checks = {name: document["checks"][name] for name in services}
    words = [Status(row["status"]) for rows in checks.values() for row in rows]
    return document | {"status": worst(words), "checks": checks}


def table(document: dict[str, Any]) -> str:
    rows = [("SERVICE", "COMPONENT", "STATUS", "LATENCY", "REASON")]
    for name, entries in document.get("checks", {}).items():
        rows += [(name, *cells(entry)) for entry in entries]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, f"overall: {document['status']}"])


def cells(entry: dict[str, Any]) -> tuple[str, str, str, str]:
    latency = f"{entry['observedValue']} ms" if "observedValue" in entry else "-"
    return entry.get("componentId", "-"), entry["status"], latency, entry.get("reason", "-")
