"""Where the processes of one host meet: a lock that makes one of them lead, and what it publishes.

Files in the runtime directory, of which none is ever waited for: the lock, the newest publication,
and a pipe by which the others call who leads.
"""

import logging
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from . import record
from .calls import Calls
from .directory import DirectoryRefused, prepare, runtime_directory
from .files import Refused, read_own, replace_file
from .flock import Flock
from .place import Alone, Place
from .record import Publication

logger = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Host:
    """Used by the scheduler thread alone. ``leave`` also lets go of what a fork has copied."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._boot = boot_id()
        self._lock = Flock(directory / "leader")
        self._file = directory / "snapshot"
        self._calls = Calls(directory / "calls")
        self._seen: tuple[int, int, int] | None = None
        self._latest: Publication | None = None
        self._troubles: dict[str, str] = {}

    def leads(self) -> bool:
        try:
            leads = self._lock.take()
        except OSError as error:
            self._trouble("lead", error.strerror or "")
            leads = False
        else:
            self._trouble("lead", "")
        if leads:
            self._listen()
        else:
            self._calls.close()
        return leads

    def _listen(self) -> None:
        try:
            self._calls.listen()
        except OSError as error:
            self._trouble("hear the others", error.strerror or "")
        else:
            self._trouble("hear the others", "")

    def publish(self, publication: Publication) -> None:
        draft = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        try:
            replace_file(draft, self._file, record.dump(publication, boot=self._boot))
        except OSError as error:
            self._trouble("publish", error.strerror or "")
        else:
            self._trouble("publish", "")

    def latest(self) -> Publication | None:
        try:
            self._look()
        except FileNotFoundError:  # nobody has led yet
            pass
        except (OSError, Refused) as error:
            self._trouble("believe what is published", str(error))
        else:
            self._trouble("believe what is published", "")
        return self._latest

    def _look(self) -> None:
        found = self._file.lstat()
        seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        if seen == self._seen:
            return
        self._seen = seen
        data = read_own(self._file)
        publication = record.load(data, boot=self._boot, now=time.monotonic())
        # What a leader wrote that was stopped meanwhile may come after its successor's.
        if self._latest is None or publication.beat > self._latest.beat:
            self._latest = publication

    def call(self, names: Iterable[str]) -> None:
        # Whom nobody hears looks soon enough.
        with suppress(OSError):
            self._calls.send(names)

    @property
    def ear(self) -> int | None:
        return self._calls.file

    def calls(self) -> set[str]:
        return self._calls.receive()

    def leave(self) -> None:
        self._calls.close()
        self._lock.let_go()

    def anew(self) -> Place:
        return Host(self._directory)

    def _trouble(self, what: str, why: str) -> None:
        """Told once for each cause; the process helps itself meanwhile."""
        if self._troubles.get(what, "") == why:
            return
        self._troubles[what] = why
        if why:
            logger.warning("This process cannot %s: %s", what, why)


def boot_id() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:  # not Linux: what another boot left behind has beats from its own clock
        return ""


def this_host() -> Place:
    try:
        return Host(prepare(runtime_directory()))
    except DirectoryRefused as error:
        logger.error("HEALTH['RUNTIME_DIR']: %s; each process probes for itself", error)
        return Alone()
