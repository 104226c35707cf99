"""A lock that is free before the COMMIT of what it protected protects nothing."""

import threading
from typing import Any

from django.db import connections

from .errors import LockInAtomic


class _Databases(threading.local):
    """Those of a thread, looked up once: Django's way to them costs more than all else here."""

    known: tuple[Any, ...] = ()


_databases = _Databases()


def refuse_open(name: str) -> None:
    """Raises LockInAtomic when the caller has a transaction open on any database."""
    known = _databases.known
    if not known:
        known = _databases.known = tuple(connections.all())
    for connection in known:
        blocks = connection.atomic_blocks
        # Like Django's own durable blocks, blind to the one that TestCase wraps around a test.
        if blocks and not blocks[-1]._from_testcase:
            raise LockInAtomic(name, using=connection.alias)
