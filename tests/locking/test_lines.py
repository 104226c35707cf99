"""What a line does beside performing one step after the other."""

import time

import pytest

from locking import connections, lock, scripts
from locking.clock import now
from locking.errors import LockUnavailable
from locking.leases import Lease
from locking.lines import Line
from locking.names import keys
from locking.steps import Run
from tests.locking.conftest import Use
from tests.locking.proxy import Fault, Proxy


def extensions(leases: list[Lease], until: float | None = None) -> list[Run]:
    return [
        Run(scripts.EXTEND, keys("lock", lease.name), (lease.token, 60_000), until)
        for lease in leases
    ]


def line() -> Line:
    return connections.line("locks")


def test_many_scripts_go_out_at_once_and_each_gets_its_own_reply(store):
    leases = [lock(f"n{number}").acquire() for number in range(300)]
    leases[7].release()
    assert line().run_many(extensions(leases)) == [int(lease is not leases[7]) for lease in leases]
    assert store.pttl("lock:{n8}:l") > 59_000


def test_scripts_that_were_forgotten_are_sent_whole(store):
    leases = [lock(name).acquire() for name in "ab"]
    store.script_flush()
    assert line().run_many(extensions(leases)) == [1, 1]


def test_one_error_does_not_hide_the_other_replies(store):
    leases = [lock(name).acquire() for name in "abc"]
    store.set("lock:{b}:l", "of a wrong type")
    first, second, third = line().run_many(extensions(leases))
    assert (first, third) == (1, 1)
    assert isinstance(second, LockUnavailable)


def test_many_survive_a_server_that_restarted(own_valkey, use: Use):
    use(own_valkey.url)
    steps = extensions([lock("n").acquire()])
    own_valkey.restart()
    assert line().run_many(steps) == [0]


def test_many_have_one_deadline(proxy: Proxy):
    steps = extensions([lock(name).acquire() for name in "ab"], now() + 0.3)
    proxy.plan(Fault.HANG, Fault.HANG)
    begun = time.monotonic()
    replies = line().run_many(steps)
    assert time.monotonic() - begun < 5
    assert [type(reply) for reply in replies] == [LockUnavailable] * 2


@pytest.mark.parametrize("stopped", [True, False])
def test_many_at_a_server_that_is_gone_are_unavailable(own_valkey, use: Use, stopped):
    use(own_valkey.url)
    steps = extensions([lock(name).acquire() for name in "ab"])
    own_valkey.stop() if stopped else own_valkey.pause()
    assert all(isinstance(reply, LockUnavailable) for reply in line().run_many(steps))
