"""Statements that stand whatever becomes of the caller's transaction.

Under ATOMIC_REQUESTS, or inside any ``atomic()``, an error would take back what was counted, and
whoever can provoke an error could guess for ever.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection, connections

T = TypeVar("T")


def possible() -> bool:
    """Whether there is a way around the caller's transaction, if there is one.

    Not on SQLite, which has one writer at a time: the caller would wait for itself.
    """
    return connection.vendor != "sqlite" or not _inside()


def committed(work: Callable[[], T]) -> T:
    """Do ``work`` outside the caller's transaction: each statement of it is committed by itself.

    Where that is not possible, it is a RuntimeError.
    """
    if not _inside():
        return work()
    if not possible():
        raise RuntimeError(
            "On SQLite a password cannot be checked inside a transaction, because the try has to"
            " be counted for good. Call authenticate() outside atomic(), and decorate views that"
            " do with transaction.non_atomic_requests."
        )
    # A thread has a connection of its own.
    with ThreadPoolExecutor(1, "accounts-durable") as pool:
        return pool.submit(_alone, work).result()


def beside(work: Callable[[], T]) -> T:
    """``committed`` where that is possible, else in the caller's transaction."""
    return committed(work) if possible() else work()


def _inside() -> bool:
    blocks = connection.atomic_blocks
    # Like Django's own durable blocks, blind to the one that TestCase wraps around a test.
    return bool(blocks) and not blocks[-1]._from_testcase  # type: ignore[attr-defined]


def _alone(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        connections.close_all()
