"""A lock that is free before the COMMIT of what it protected protects nothing."""

from django.db import connections

from .errors import LockInAtomic


def refuse_open(name: str) -> None:
    """Raises LockInAtomic when the caller has a transaction open on any database."""
    # Not only those used before, because to find out which were takes longer than to ask each.
    for connection in connections.all():
        blocks = connection.atomic_blocks
        # Like Django's own durable blocks, blind to the one that TestCase wraps around a test.
        if blocks and not blocks[-1]._from_testcase:  # type: ignore[attr-defined]
            raise LockInAtomic(name, using=connection.alias)
