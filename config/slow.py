"""Bodies that come slowly, or never, hold up a part of a worker's threads and not all of them.

The server has no time limit for a body. What has none, such as a probe, is answered all the same.
A proxy that takes bodies in before it passes them on, as nginx does, keeps all of this away.
"""

from collections.abc import Callable, Iterable
from threading import BoundedSemaphore
from typing import Any

# Bodies that are there are read at once, however many.
PATIENCE_SECONDS = 0.2


class TooManyReaders(OSError):
    """Others wait for theirs."""


class SlowBodies:
    """WSGI wrapper; ``threads`` is how many a worker has."""

    def __init__(self, application: Callable[..., Iterable[bytes]], *, threads: int) -> None:
        self.application = application
        self._readers = BoundedSemaphore(max(1, threads * 3 // 4))

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if environ.get("CONTENT_LENGTH"):
            environ["wsgi.input"] = Body(environ["wsgi.input"], self._readers)
        return self.application(environ, start_response)


class Body:
    """Raises TooManyReaders."""

    def __init__(self, stream: Any, readers: BoundedSemaphore) -> None:
        self._stream = stream
        self._readers = readers

    def read(self, size: int = -1) -> bytes:
        return self._take(self._stream.read, size)

    def readline(self, size: int = -1) -> bytes:
        return self._take(self._stream.readline, size)

    def _take(self, read: Callable[[int], bytes], size: int) -> bytes:
        if not self._readers.acquire(timeout=PATIENCE_SECONDS):
            raise TooManyReaders
        try:
            return read(size)
        finally:
            self._readers.release()
