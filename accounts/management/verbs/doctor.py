import sys
from dataclasses import asdict
from typing import Any

from accounts import doctor
from accounts.doctor import Level

from .terminal import Terminal


def add(verbs: Any) -> None:
    examining = verbs.add_parser(
        "doctor", help="Are the database, the store and the keys fit for tokens?"
    )
    examining.add_argument("--json", action="store_true", dest="as_json")
    examining.set_defaults(run=examine)


def examine(terminal: Terminal, *, as_json: bool, **_: Any) -> None:
    found = list(doctor.examine())
    if as_json:
        terminal.tell([asdict(finding) for finding in found])
    else:
        for finding in found:
            terminal.stdout.write(f"{finding.level:7} {finding.id}  {finding.message}")
            if finding.hint:
                terminal.stdout.write(f"{'':23}{finding.hint}")
    if any(finding.level is Level.ERROR for finding in found):
        sys.exit(1)
