"""What a client sends and nobody inside has read."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from django.conf import settings

from config.bodies import told

CHUNK = 65_536  # bytes


class Leftovers:
    """WSGI wrapper: reads to the end of any body that an answer did without.

    Otherwise the server closes the connection on a client who is still sending, and it is chance
    whether he gets to read the answer: nginx made a 502 of every fourth 401. What no route would
    take is not worth hearing, nor is anything while too many bodies are waited for.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        answer = self.application(environ, start_response)
        if 0 < told(environ.get("CONTENT_LENGTH", "")) <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            with suppress(OSError):
                while environ["wsgi.input"].read(CHUNK):
                    pass
        return answer
