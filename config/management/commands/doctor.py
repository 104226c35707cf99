"""``manage.py doctor``: 0 fine, 1 something is wrong, 2 something could not be determined."""

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from dataclasses import asdict
from typing import Any

from breaker.tables import printable
from config.consultation import UNKNOWN, Entry, consult
from health.management.leaving import LeavesAtOnce

WORDS = {"error": "wrong", UNKNOWN: "not known", "warning": "worth a look", "ok": "fine"}


class Command(LeavesAtOnce):
    help = "One report on settings, stores and keys of all apps. Exit 0 fine, 1 wrong, 2 unknown."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json")
        parser.add_argument("--timeout", type=float, default=15.0, metavar="SECONDS")
        parser.add_argument("--fail-on", choices=["error", "warning"], default="error")

    def handle(self, *, timeout: float, as_json: bool, fail_on: str, **_: Any) -> None:
        entries = consult(timeout=timeout)
        counts = Counter(entry.level for entry in entries)
        if as_json:
            document = {
                "summary": {level: counts[level] for level in WORDS},
                "findings": [asdict(entry) for entry in entries],
            }
            self.stdout.write(json.dumps(document))
        else:
            self.stdout.write(table(entries, counts))
        if code := verdict(counts, fail_on):
            sys.exit(code)


def verdict(counts: Counter[str], fail_on: str) -> int:
    """What is known to be wrong tells more than what is not known."""
    if counts["error"] or (fail_on == "warning" and counts["warning"]):
        return 1
    return 2 if counts[UNKNOWN] else 0


def table(entries: list[Entry], counts: Counter[str]) -> str:
    levels = max((len(entry.level) for entry in entries), default=0)
    ids = max((len(entry.id) for entry in entries), default=0)
    lines = []
    for entry in entries:
        lines.append(f"{entry.level:{levels}}  {entry.id:{ids}}  {printable(entry.message)}")
        if entry.hint:
            lines.append(f"{'':{levels + ids + 4}}{printable(entry.hint)}")
    summary = ", ".join(f"{counts[level]} {word}" for level, word in WORDS.items() if counts[level])
    return "\n".join([*lines, f"overall: {summary}"])
