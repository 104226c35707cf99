"""Statements that stand whatever becomes of the caller's transaction.

Under ATOMIC_REQUESTS, or inside any ``atomic()``, an error would take back what was counted, and
whoever can provoke an error could guess for ever.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection, connections

T = TypeVar("T")


def committed(work: Callable[[], T]) -> T:
    """Do ``work`` outside the caller's transaction: each statement of it is committed by itself.

    SQLite has one writer at a time, so inside a transaction there this is a RuntimeError: the
    caller would wait for itself.
    """
    blocks = connection.atomic_blocks
    # Like Django's own durable blocks, blind to the one that TestCase wraps around a test.
    if not blocks or blocks[-1]._from_testcase:  # type: ignore[attr-defined]
        return work()
    if connection.vendor == "sqlite":
        raise RuntimeError(
            "On SQLite a password cannot be checked inside a transaction, because the try has to"
            " be counted for good. Call authenticate() outside atomic(), and decorate views that"
            " do with transaction.non_atomic_requests."
        )
    # A thread has a connection of its own.
    with ThreadPoolExecutor(1, "accounts-durable") as pool:
        return pool.submit(_alone, work).result()


def _alone(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        connections.close_all()
