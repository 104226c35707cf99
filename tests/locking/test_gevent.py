"""Under gevent, whose threads are greenlets and whose locks yield to them."""

import pytest

from tests.locking.workers import Worker

WORK = """
import gevent
served, beats = [], []

def beat():
    while True:
        beats.append(now())
        gevent.sleep(0.01)

def work(number):
    with lock("n", wait=20):
        served.append(number)
        gevent.sleep(0.002)

beating = gevent.spawn(beat)
with lock("n"):
    greenlets = []
    for number in range(20):
        greenlets.append(gevent.spawn(work, number))
        gevent.sleep(0.1)  # so that all come in this order
gevent.joinall(greenlets, timeout=20)
tell(served)
with lock("m", lease=1) as lease:
    gevent.sleep(1.5)
    tell(lease.valid)
tell(max(after - before for before, after in zip(beats, beats[1:])))
"""


@pytest.mark.race
def test_greenlets_wait_in_line_and_keep_their_leases_without_blocking_each_other(store):
    with Worker(WORK, before="from gevent import monkey; monkey.patch_all()") as worker:
        assert worker.hear() == [list(range(20))]
        assert worker.hear() == [True]
        assert worker.hear()[0] < 1.0  # of which each wait for the lock takes twice as much
    assert not store.exists("lock:{n}:l", "lock:{n}:q", "lock:{m}:l")
