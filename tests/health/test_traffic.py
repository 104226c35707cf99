"""What fails in a request is looked at at once, by whichever process probes."""

import asyncio
from collections.abc import Callable

import pytest
from django.core.signals import got_request_exception
from django.db import OperationalError
from pytest_django.fixtures import Settings

from config.problems import database_unavailable
from health import CheckResult, Status, checker, traffic
from health.contrib import locking as contrib
from health.engine.checker import Checker
from locking import LockUnavailable, lock
from tests.servers import Valkey

from .conftest import eventually
from .probes import FAIL, Fake

Run = Callable[..., Checker]


def fails(running: Checker, name: str) -> bool:
    return running.edition.snapshot.status_of(name) is Status.FAIL


def refused() -> CheckResult:
    """As a probe whose own calls are refused and told to observers."""
    checker.doubt("locks")
    return FAIL


def rise() -> None:
    try:
        raise OperationalError("gone")
    except OperationalError:
        got_request_exception.send(Checker)


def answer() -> None:
    database_unavailable(OperationalError("gone"))


@pytest.mark.parametrize("happen", [rise, answer], ids=lambda happen: happen.__name__)
def test_an_error_of_the_database_is_looked_into(run: Run, happen: Callable[[], None]) -> None:
    traffic.connect()
    probe = Fake("database", interval=600)
    running = run(probe)
    probe.answer = lambda: FAIL
    happen()
    eventually(lambda: fails(running, "database"))


def test_any_other_error_is_not(run: Run) -> None:
    traffic.connect()
    probe = Fake("database", interval=600)
    run(probe)
    try:
        raise ValueError
    except ValueError:
        got_request_exception.send(Checker)
    assert probe.runs == 1


def take() -> None:
    lock("traffic").acquire()


def take_in_a_task() -> None:
    asyncio.run(lock("traffic").aacquire())


@pytest.mark.parametrize("happen", [take, take_in_a_task], ids=lambda happen: happen.__name__)
def test_a_lock_store_out_of_reach_is_looked_into(
    run: Run, happen: Callable[[], None], own_valkey: Valkey, settings: Settings
) -> None:
    from config.redis import caches

    contrib.connect()
    settings.CACHES = caches(own_valkey.url)
    own_valkey.stop()
    probe = Fake("locks", interval=600)
    running = run(probe)
    probe.answer = refused
    with pytest.raises(LockUnavailable):
        happen()
    eventually(lambda: fails(running, "locks"))


def test_what_is_known_to_fail_is_looked_at_as_often_as_before(run: Run) -> None:
    failing, well = Fake("locks", lambda: FAIL, interval=600), Fake("database", interval=600)
    run(failing, well)
    checker.doubt("locks", "database")
    eventually(lambda: well.runs == 2)
    assert failing.runs == 1


def test_nobody_is_troubled_where_nothing_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "_running", None)
    answer()
