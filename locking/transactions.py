"""A lock that is free before the COMMIT of what it protected protects nothing."""

import threading
from typing import Any

from django.db import connections
from django.db.backends.signals import connection_created

from .errors import LockInAtomic


class _Databases(threading.local):
    """Those a thread is connected to: to ask Django each time costs more than all else here."""

    known: tuple[Any, ...] | None = None


_databases = _Databases()


def refuse_open(name: str) -> None:
    """Raises LockInAtomic when the caller has a transaction open on any database."""
    known = _databases.known
    if known is None:
        known = _databases.known = tuple(connections.all(initialized_only=True))
    for connection in known:
        blocks = connection.atomic_blocks
        # Like Django's own durable blocks, blind to the one that TestCase wraps around a test.
        if blocks and not blocks[-1]._from_testcase:
            raise LockInAtomic(name, using=connection.alias)


def _connected(*, connection: Any, **_: Any) -> None:
    """Without a connection there is no transaction, so those that ended need no look."""
    if _databases.known is not None:
        others = (one for one in _databases.known if one is not connection and one.connection)
        _databases.known = (*others, connection)


connection_created.connect(_connected)
