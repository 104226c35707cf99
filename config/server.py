"""Granian, whose workers are forked from a process that has read the product already.

They share that memory, and one that takes the place of another is there at once.
"""

import gc
from copy import deepcopy
from typing import Any

from django.conf import settings
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels


def serve(host: str, port: int, **options: Any) -> None:
    """``options``: of Granian, besides those of the product."""
    from config import application  # noqa: F401

    # What is here now is here to stay: a collection in a worker would copy all of it.
    gc.collect()
    gc.freeze()
    Granian(
        "config.wsgi:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        # HTTP/2 would let bodies of no known length in; to browsers only a proxy speaks it anyway.
        http=HTTPModes.http1,
        websockets=False,
        workers=settings.WORKERS,
        blocking_threads=settings.THREADS,
        respawn_failed_workers=True,
        log_level=LogLevels.error,
        log_dictconfig=deepcopy(settings.LOGGING),
        **{"workers_kill_timeout": 10, **options},
    ).serve()
