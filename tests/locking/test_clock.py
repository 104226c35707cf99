import time

import pytest

from locking import clock


def test_the_clock_counts_from_boot_and_through_suspension():
    assert clock.now() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=1)
    assert clock.now() <= clock.now()
