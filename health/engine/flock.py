"""A lock of the kernel's on a file, which ends with its holder."""

import fcntl
import os
from pathlib import Path


class Flock:
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
