"""A pipe by which the processes of a host call the one that probes."""

import errno
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


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
