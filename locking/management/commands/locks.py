"""``manage.py locks``: 0 done, 1 refused or failing, 2 could not be determined, or wrong usage.

``run`` passes on the program's own code; its other codes are those of sysexits.h, and of shells.
"""

import getpass
import json
import socket
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from locking import control, doctor, documents, tables
from locking.durations import parse
from locking.errors import (
    HolderChanged,
    LockBusy,
    LockError,
    LockInvalid,
    LockLost,
    LockQueueFull,
    LockUnavailable,
)
from locking.locks import lock
from locking.names import Kind
from locking.programs import Program, told
from locking.tables import printable

UNAVAILABLE, LOST, BUSY, NOT_EXECUTABLE, NOT_FOUND = 69, 70, 75, 126, 127
KINDS = [kind.value for kind in Kind]
EPILOG = f"""run passes on the program's exit code (128 + n when signal n ended it), or exits with
{BUSY} if the lock is busy, {UNAVAILABLE} if the lock store does not answer, {LOST} if the lock was
lost and the program ended for it, {NOT_FOUND} or {NOT_EXECUTABLE} if the program cannot be run."""

RUN = f"""{EPILOG} If the lock is lost or this command is killed, the program and its whole process
group end too; what has left the group, as daemons do, goes on."""


def duration(text: str) -> float:
    try:
        return parse(text)
    except LockInvalid as error:
        raise ArgumentTypeError(str(error)) from None


class Command(BaseCommand):
    help = "Look at locks, take one from its holder, run a program under one, check the store."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.epilog = EPILOG
        verbs = parser.add_subparsers(dest="verb", required=True)
        listing = verbs.add_parser("list", help="Locks now held, those that end soonest first.")
        listing.add_argument("--prefix", default="", help="only names that begin so")
        listing.add_argument("--limit", type=int, default=50, help="at most 200 of them")
        listing.add_argument("--cursor", help="of the next page")
        show = verbs.add_parser("show", help="One lock, its holder and who waits for it.")
        show.add_argument("name", metavar="NAME")
        show.add_argument("--kind", choices=KINDS, default="lock")
        release = verbs.add_parser("release", help="Take a lock from its holder.")
        release.add_argument("name", metavar="NAME")
        release.add_argument("--kind", choices=KINDS, default="lock")
        release.add_argument("--fence", type=int, required=True, help="of the holder meant")
        release.add_argument("--reason", required=True, help="kept on record")
        release.add_argument("--yes", action="store_true", help="Do not ask.")
        run = verbs.add_parser("run", help="Run a program while holding a lock.", epilog=RUN)
        run.add_argument("name", metavar="NAME")
        run.add_argument("--lease", type=duration, default=..., help="such as 30s or 10m")
        run.add_argument("--wait", type=duration, default=..., help="such as 10s; 0 asks once")
        run.add_argument("program", metavar="-- PROGRAM", nargs="+")
        check = verbs.add_parser("doctor", help="Is the store fit to keep locks?")
        for one in (listing, show, release, check):
            one.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *, verb: str, **options: Any) -> None:
        verbs: dict[str, Callable[..., None]] = {
            "list": self.show_all,
            "show": self.show,
            "release": self.release,
            "run": self.run,
            "doctor": self.doctor,
        }
        try:
            verbs[verb](**options)
        except HolderChanged as error:
            raise failure(error, 1) from error
        except LockError as error:
            raise failure(error, 2) from error

    def show_all(
        self, *, prefix: str, limit: int, cursor: str | None, as_json: bool, **_: Any
    ) -> None:
        page = control.held(cursor=cursor, limit=limit, prefix=prefix)
        if as_json:
            rows = [documents.lock(row) for row in page.rows]
            self.tell({"results": rows, "next": page.following, "previous": None})
            return
        self.stdout.write(tables.held(page.rows))
        if page.following:
            self.stderr.write(f"More: --cursor {page.following}")

    def show(self, *, name: str, kind: str, as_json: bool, **_: Any) -> None:
        found = control.detail(name, kind=Kind(kind))
        if as_json:
            self.tell(documents.lock(found))
        else:
            self.stdout.write(tables.one(found))

    def release(
        self, *, name: str, kind: str, fence: int, reason: str, yes: bool, as_json: bool, **_: Any
    ) -> None:
        if not yes and not self.sure(f"Take {name!r} from its holder under fence {fence}?"):
            raise CommandError("Nothing was done.")
        actor = f"{getpass.getuser()}@{socket.gethostname()}"
        record = control.force_release(
            name, kind=Kind(kind), fence=fence, actor=actor, reason=reason
        )
        if as_json:
            self.tell(documents.forced_release(record))
        else:
            self.stdout.write(f"{printable(name)} was taken from the holder under fence {fence}")

    def run(self, *, name: str, lease: Any, wait: Any, program: list[str], **_: Any) -> None:
        meta = {"program": told(program[0]), "user": told(getpass.getuser())}
        wanted = lock(name, lease=lease, wait=wait, meta=meta)
        try:
            code = Program(program).run(wanted)
        except (LockBusy, LockQueueFull) as error:
            raise failure(error, BUSY) from error
        except LockUnavailable as error:
            raise failure(error, UNAVAILABLE) from error
        except LockLost as error:
            raise failure(error, LOST) from error
        except FileNotFoundError as error:
            raise failure(error, NOT_FOUND) from error
        except OSError as error:
            raise failure(error, NOT_EXECUTABLE) from error
        sys.exit(code)

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

    def sure(self, question: str) -> bool:
        try:
            return input(f"{question} [y/N] ").lower() == "y"
        except EOFError:
            return False

    def tell(self, document: Any) -> None:
        self.stdout.write(json.dumps(document))


def failure(error: Exception, code: int) -> CommandError:
    return CommandError(printable(str(error)), returncode=code)
