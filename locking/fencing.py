"""``locked_atomic``: a lock around a transaction, and the fence inside it.

A lease can run out in the middle of a transaction, and no lock server can prevent that. The row of
the fence can: the transaction that claims it holds the row until COMMIT. So an older holder either
has committed before the newer one starts, or is refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, IntegrityError, transaction

from .errors import LockLost, StaleFence
from .leases import Lease, logger
from .locks import lock
from .models import Fence


@contextmanager
def locked_atomic(name: str, *, using: str = DEFAULT_DB_ALIAS, **options: Any) -> Iterator[Lease]:
    """Lock, BEGIN, check the fence, work, COMMIT, release. ``options`` are those of ``lock()``.

    Raises StaleFence when a newer holder has committed, and LockInAtomic inside another
    transaction: the lock would be free before that one commits.
    """
    lease = lock(name, **options).acquire()
    try:
        with transaction.atomic(using=using, durable=True):
            claim(lease, using=using)
            yield lease
    except BaseException as error:
        lease.__exit__(type(error), error, error.__traceback__)
        raise
    _release_committed(lease)


def _release_committed(lease: Lease) -> None:
    try:
        lease.__exit__(None, None, None)
    except LockLost as lost:
        # The fence row kept every newer holder out until COMMIT: the work is valid and done.
        logger.warning("Lock %r ended before its transaction: %r", lease.name, lost)


def claim(lease: Lease, *, using: str = DEFAULT_DB_ALIAS) -> None:
    """Hold the fence's row until the end of the transaction; raises StaleFence."""
    if _raise_fence(lease, using):
        return
    try:
        with transaction.atomic(using=using):
            Fence.objects.using(using).create(name=lease.name, fence=lease.fence)
    except IntegrityError:
        # The row is there: with a higher fence, or made by another holder only now.
        if not _raise_fence(lease, using):
            stored = Fence.objects.using(using).get(pk=lease.name).fence
            raise StaleFence(lease.name, fence=lease.fence, stored=stored) from None


def _raise_fence(lease: Lease, using: str) -> int:
    rows = Fence.objects.using(using).filter(pk=lease.name, fence__lte=lease.fence)
    return rows.update(fence=lease.fence)
