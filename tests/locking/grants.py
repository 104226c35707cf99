"""Ways to acquire and release a lock, for tests whose servers come and go."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from locking import Lease, LockUnavailable, lock

Grant = Callable[[], Lease]


@contextmanager
def in_both_colours(name: str = "n") -> Iterator[list[Grant]]:
    """Functions that acquire and release a lock, the second always from the same loop."""

    def once() -> Lease:
        lease = lock(name, wait=1).acquire()
        lease.release()
        return lease

    async def aonce() -> Lease:
        lease = await lock(name, wait=1).aacquire()
        await lease.arelease()
        return lease

    with asyncio.Runner() as runner:
        yield [once, lambda: runner.run(aonce())]


def after_promotion(grant: Grant) -> Lease:
    """Tried again until another server has taken over."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return grant()
        except LockUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.05)
