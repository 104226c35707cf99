"""Real processes against one invariant, while some of them are killed inside."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from locking import names, rw_lock, semaphore
from locking.names import Kind
from tests.locking.workers import Worker
from tests.product import until
from tests.rounds import can

# ``n`` is held by K at most; a writer counts for all. Who is inside writes down until when at least
# it is entitled to: the fence is the store's time of the grant.
CROWD = """
import random
from django_redis import get_redis_connection
from locking import rw_lock, semaphore
store = get_redis_connection("locks")
K, LEASE = 3, 2.0
ENTER = '''
local now = redis.call("TIME")
now = now[1] * 1000000 + now[2]
for _, key in ipairs(KEYS) do
  redis.call("ZREMRANGEBYSCORE", key, "-inf", now)
end
local one, all = redis.call("ZCARD", KEYS[1]), redis.call("ZCARD", KEYS[2])
local place = KEYS[tonumber(ARGV[1])]
redis.call("ZADD", place, string.format("%.0f", ARGV[2]), ARGV[3])
return {one, all}
'''
chance = random.Random(os.getpid())
def semaphores():
    return semaphore("n", K, lease=LEASE, wait=60, renew=False), 1
def sides():
    both = rw_lock("n", lease=LEASE, wait=60, renew=False)
    return (both.write, 2) if chance.random() < 0.3 else (both.read, 1)
def use(kind):
    wanted, place = {"sem": semaphores, "rw": sides}[kind]()
    with wanted as lease:
        until = lease.fence + LEASE * 1e6
        one, all = store.eval(ENTER, 2, "one", "all", place, until, lease.token)
        if kind == "sem":
            assert one < K, one
        else:
            assert not all and not (place == 2 and one), (place, one, all)
        time.sleep(chance.random() / 200)
        store.zrem(("one", "all")[place - 1], lease.token)
        return lease.fence
"""
FINISH = "tell(*[use('KIND') for _ in range(100)])"
FOR_EVER = "while True: tell(use('KIND'))"


@pytest.mark.race
@pytest.mark.parametrize("kind", [Kind.SEMAPHORE, Kind.RW])
def test_no_more_are_inside_than_may_be_while_some_are_killed(store, kind):
    chance = random.Random(kind)
    finishing = [Worker(CROWD + FINISH.replace("KIND", kind)) for _ in range(3)]
    victims = [Worker(CROWD + FOR_EVER.replace("KIND", kind)) for _ in range(2)]
    fences = [fence for victim in victims for fence in victim.hear()]
    for victim in victims:
        time.sleep(chance.random() / 10)
        victim.kill()
    each = [worker.hear() for worker in finishing]
    for worker in [*finishing, *victims]:
        worker.__exit__()
    assert [worker.process.returncode for worker in victims] == [-9] * 2
    assert all(mine == sorted(mine) for mine in each)
    fences += [fence for mine in each for fence in mine]
    assert len(set(fences)) == len(fences) == 3 * 100 + 2
    # The killed ones' shares run out, and then there is nothing left of any.
    alone = semaphore("n", 1, wait=20) if kind is Kind.SEMAPHORE else rw_lock("n", wait=20).write
    alone.acquire().release()
    holders, queue, records, _, grants, index = alone.keys
    assert not store.exists(holders, queue, records, grants)
    assert store.zscore(index, holders) is None


WRITE = """
from locking import rw_lock
rw_lock("n", wait=60).write.acquire()
"""


@pytest.mark.race
def test_a_writer_killed_in_line_is_passed_over_by_whoever_comes(store):
    queue = names.share_keys("lock", Kind.RW, "n")[1]
    wanted = rw_lock("n", wait=20)

    def soon() -> bool:
        with ThreadPoolExecutor(2) as pool, wanted.read as first, Worker(WRITE) as doomed:
            until(lambda: store.zcard(queue) == 1)
            second = pool.submit(wanted.read.acquire)
            until(lambda: store.zcard(queue) == 2)
            doomed.kill()
            begun = time.monotonic()
            third = pool.submit(wanted.read.acquire).result()
            seconds = time.monotonic() - begun
            assert first.fence < second.result().fence < third.fence
            for lease in (second.result(), third):
                lease.release()
            return seconds < 1

    assert can(soon)
