"""Bodies come whole or not at all, and those that come slowly, or never, leave threads for others.

The server does not tell when a client goes: what he sent until then would pass for all of it. Nor
has it a time limit for a body; what has none, such as a probe, is answered all the same. A proxy
that takes bodies in before it passes them on, as nginx does, keeps all of this away.
"""

from collections.abc import Callable, Iterable
from threading import BoundedSemaphore
from typing import Any

# Bodies that are there are read at once, however many.
PATIENCE_SECONDS = 0.2


class TooManyReaders(OSError):
    """Others wait for theirs."""


class BrokenOff(OSError):
    """The client went before he had sent what he announced."""


class IncomingBodies:
    """WSGI wrapper; ``threads`` is how many a worker has."""

    def __init__(self, application: Callable[..., Iterable[bytes]], *, threads: int) -> None:
        self.application = application
        self._readers = BoundedSemaphore(max(1, threads * 3 // 4))

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH", "")
        # The server itself has refused what is no number; another one leaves that to others here.
        if length.isascii() and length.isdigit():
            environ["wsgi.input"] = Body(environ["wsgi.input"], length[:20], self._readers)
        return self.application(environ, start_response)


class Body:
    """Raises TooManyReaders, BrokenOff."""

    def __init__(self, stream: Any, length: str, readers: BoundedSemaphore) -> None:
        self._stream = stream
        self._left = int(length)
        self._readers = readers

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        parts = []
        while wanted:
            part = self._take(self._stream.read, wanted)
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)

    def readline(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        return self._take(self._stream.readline, wanted) if wanted else b""

    def _take(self, read: Callable[[int], bytes], size: int) -> bytes:
        if not self._readers.acquire(timeout=PATIENCE_SECONDS):
            raise TooManyReaders
        try:
            part = read(size)
        finally:
            self._readers.release()
        if not part:
            raise BrokenOff
        self._left -= len(part)
        return part
