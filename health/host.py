"""Where the processes of one host meet: a lock that makes one of them lead, and what it publishes.

Files in the runtime directory, of which none is ever waited for: the lock, the newest publication,
and a pipe by which the others call who leads.
"""

import errno
import fcntl
import logging
import os
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from . import record
from .directory import DirectoryRefused, prepare, runtime_directory
from .record import Publication, Refused

logger = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
LARGEST = 16 << 20


class Place(Protocol):
    def leads(self) -> bool:
        """Whether this process leads, which it does once nobody else is in the way."""
        ...

    def publish(self, publication: Publication) -> None: ...

    def latest(self) -> Publication | None:
        """The newest publication to believe; the same object as long as there is no newer one."""
        ...

    def call(self, names: Iterable[str]) -> None:
        """Ask who leads to look at these services now."""
        ...

    @property
    def ear(self) -> int | None:
        """What can be read when somebody has called."""
        ...

    def calls(self) -> set[str]: ...

    def leave(self) -> None: ...

    def anew(self) -> "Place":
        """For another scheduler of this process."""
        ...


class Alone:
    """Of a process that meets nobody: it probes for itself."""

    def leads(self) -> bool:
        return True

    def publish(self, publication: Publication) -> None:
        pass

    def latest(self) -> Publication | None:
        return None

    def call(self, names: Iterable[str]) -> None:
        pass

    @property
    def ear(self) -> int | None:
        return None

    def calls(self) -> set[str]:
        return set()

    def leave(self) -> None:
        pass

    def anew(self) -> Place:
        return self


class Host:
    """Used by the scheduler thread alone. ``leave`` also lets go of what a fork has copied."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._boot = boot_id()
        self._lock = Lock(directory / "leader")
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


class Lock:
    """A lock of the kernel's on a file, which ends with its holder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def take(self) -> bool:
        """Never waits; to take it again is to keep it. Raises OSError."""
        if self._file is None or not self._in_place(self._file):
            self.let_go()
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def let_go(self) -> None:
        """By closing alone: a forked child that did more would unlock its parent's."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _in_place(self, file: int) -> bool:
        """Whoever cleans up the directory gives the others a new file to lock."""
        try:
            return os.path.samestat(os.fstat(file), self._path.lstat())
        except FileNotFoundError:
            return False


class Calls:
    """A pipe that takes names of services. What does not fit in is a call that was made before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.file: int | None = None

    def listen(self) -> None:
        """Raises OSError."""
        if self.file is None:
            with suppress(FileExistsError):
                os.mkfifo(self._path, 0o600)
            # Open for writing too: then it has no end, whoever comes and goes.
            self.file = self._open(os.O_RDWR)

    def send(self, names: Iterable[str]) -> None:
        """Raises OSError where nobody listens."""
        file = self._open(os.O_WRONLY)
        try:
            os.write(file, "".join(f"{name}\n" for name in names).encode())
        finally:
            os.close(file)

    def receive(self) -> set[str]:
        if self.file is None:
            return set()
        try:
            return set(os.read(self.file, 65536).decode(errors="replace").split())
        except BlockingIOError:
            return set()

    def close(self) -> None:
        if self.file is not None:
            os.close(self.file)
            self.file = None

    def _open(self, mode: int) -> int:
        file = os.open(self._path, mode | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        if not stat.S_ISFIFO(os.fstat(file).st_mode):
            os.close(file)
            raise OSError(errno.EINVAL, "it is no pipe")
        return file


def replace_file(draft: Path, path: Path, data: bytes) -> None:
    """Readers see the old content or the new one, never a part. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
        file.write(data)
    draft.replace(path)


def read_own(path: Path) -> bytes:
    """Raises Refused, OSError."""
    # O_NONBLOCK, not to wait for the writer of a pipe that somebody put there.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise Refused("it is not a file of this user")
        if found.st_mode & 0o022:
            raise Refused("others may write to it")
        if found.st_size > LARGEST:
            raise Refused(f"it is larger than {LARGEST} bytes")
        return file.read()


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
