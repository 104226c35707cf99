"""Idle connections, when threads fall over each other."""

from collections import deque

import pytest

from locking.pools import Pool
from locking.targets import target
from locking.wires import Wire


class Contested(deque[Wire]):
    """Another thread always takes the last one first."""

    def pop(self) -> Wire:  # type: ignore[override]
        super().pop().close()
        return super().pop()


@pytest.fixture
def pool() -> Pool:
    return Pool(target("locks"))


def test_connections_that_two_threads_drop_at_once_are_dropped(pool: Pool):
    wires = [pool.take(1.0) for _ in range(3)]
    pool._idle = Contested(wires)
    pool.drop_idle()
    assert not any(wire.is_open for wire in wires)
