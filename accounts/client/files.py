import fcntl
import os
import threading
from pathlib import Path


class FileStorage:
    """A file that only its owner can read, shared by the processes of one host.

    Beside it lies ``NAME.lock``: the file itself is replaced whole, so it cannot carry the lock.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._taken = threading.Lock()
        self._descriptor = -1

    def acquire(self) -> bool:
        if not self._taken.acquire(blocking=False):
            return False
        locked = False
        try:
            self._descriptor = os.open(self._beside(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked = True
        except BlockingIOError:
            os.close(self._descriptor)
        finally:
            if not locked:
                self._taken.release()
        return locked

    def release(self) -> None:
        # Said aloud, because closing does not unlock while a forked child has the file open too.
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)
        self._taken.release()

    def load(self) -> str | None:
        try:
            return self.path.read_text()
        except FileNotFoundError:
            return None

    def save(self, text: str) -> None:
        new = self._beside(".new")
        new.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(new, flags, 0o600), "w") as file:
            file.write(text)
            file.flush()
            # The token that this one replaces is dead: a crash must not bring it back.
            os.fsync(file.fileno())
        new.replace(self.path)

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)
