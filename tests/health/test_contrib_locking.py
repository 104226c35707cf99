"""What health tells of the locks: by pattern, and never by name."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from health.contrib import locking
from health.contrib.locking import MOST_PATTERNS, Locks, folded, label
from health.engine.checker import Checker
from health.labels import OTHER, Bounded
from locking import control, lock, remote, signals
from locking.control import PatternOverview
from locking.ledger import ledger
from locking.locks import Lock
from locking.patterns import HTTP
from tests.product import until

from .conftest import call
from .test_metrics import samples

Run = Callable[..., Checker]


@pytest.fixture
def connected() -> Iterator[None]:
    locking.connect()
    yield
    ledger.book = None
    for signal in (
        signals.lock_lost,
        signals.lock_forced,
        signals.lock_deadlock,
    ):
        assert signal.disconnect(dispatch_uid="health")


@pytest.fixture
def word() -> str:
    """A pattern of the test's own: counters live as long as the process."""
    return "".join(secrets.choice("ghijklmnop") for _ in range(12))


@pytest.fixture
def fresh_labels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(locking, "patterns", Bounded("locking", MOST_PATTERNS))
    locking.label.cache_clear()
    yield
    locking.label.cache_clear()


def count(name: str, kind: str, **labels: str) -> float:
    # To ask the registry for a sample would collect all there is.
    wanted = {"pattern": kind, **labels}
    families = list(REGISTRY.restricted_registry([name]).collect())
    found = [sample for family in families for sample in family.samples]
    return sum(one.value for one in found if (one.name, one.labels) == (name, wanted))


def acquisitions(kind: str) -> dict[str, float]:
    return {
        outcome: count("locking_acquisitions_total", kind, outcome=outcome)
        for outcome in ("granted", "waited", "deadlock")
    }


def tell(signal: Any, **facts: Any) -> None:
    signals.tell(signal, Lock, **facts)


def test_events_are_counted_by_pattern(connected: None, fresh_labels: None, word: str) -> None:
    lease = SimpleNamespace(name=f"{word}:7", lock=SimpleNamespace(label=""))
    kind = f"{word}:*"
    ledger.granted(lease.name, 0.0)
    ledger.granted(lease.name, 0.2)
    ledger.released(lease.name, 2.0)
    tell(signals.lock_lost, lease=lease)
    tell(signals.lock_forced, name=f"{word}:8", fence=1, actor="ada", reason="", meta={})
    tell(signals.lock_deadlock, name=f"{word}:9", cycle=("a", "b"))
    ledger.post()
    assert acquisitions(kind) == {"granted": 1, "waited": 1, "deadlock": 1}
    assert count("locking_wait_seconds_sum", kind) == 0.2
    assert count("locking_hold_seconds_sum", kind) == 2.0
    assert count("locking_lost_total", kind) == 1
    assert count("locking_forced_total", kind) == 1


def test_a_lock_taken_and_released_is_counted(
    connected: None, fresh_labels: None, word: str
) -> None:
    with lock(f"{word}:1"):
        until(lambda: acquisitions(f"{word}:*")["granted"] == 1)
    until(lambda: count("locking_hold_seconds_count", f"{word}:*") == 1)
    assert acquisitions(f"{word}:*") == {"granted": 1, "waited": 0, "deadlock": 0}


def test_a_forced_release_is_counted(
    connected: None, fresh_labels: None, db: None, word: str
) -> None:
    lease = lock(f"{word}:1").acquire()
    control.force_release(lease.name, fence=lease.fence, actor="ada", reason="it hangs")
    assert count("locking_forced_total", f"{word}:*") == 1


def test_what_was_taken_over_http_is_of_one_kind_however_it_ends(
    connected: None, fresh_labels: None, db: None, word: str
) -> None:
    forced, lost = count("locking_forced_total", HTTP), count("locking_lost_total", HTTP)
    remote_lease = remote.acquire(word, lease=30, wait=0, meta=None)
    control.force_release(word, fence=remote_lease.fence, actor="ada", reason="it hangs")
    tell(signals.lock_lost, lease=replace(lock(word), label=HTTP).acquire())
    assert count("locking_forced_total", HTTP) == forced + 1
    assert count("locking_lost_total", HTTP) == lost + 1
    assert count("locking_forced_total", word) == count("locking_lost_total", word) == 0


def test_labels_are_few_however_many_names_there_are(fresh_labels: None) -> None:
    alphabet = "ghijklmnop"
    words = [a + b for a in alphabet for b in alphabet]
    labels = {label(word) for word in words}
    assert len(labels) == MOST_PATTERNS + 1
    assert label(words[0]) == words[0]
    assert label(words[-1]) == OTHER


def test_names_are_in_no_metric(run: Run, connected: None, fresh_labels: None) -> None:
    secret = uuid4().hex
    with lock(f"customer:{secret}"), lock(f"api:{secret}"):
        run(Locks())
    body = call("/metrics", REMOTE_ADDR="127.0.0.1").body.decode()
    assert secret not in body
    assert samples(body)["locking_held", (("pattern", "customer:*"),)] == 1
    assert samples(body)["locking_held", (("pattern", "api:*"),)] == 1


def test_of_many_patterns_the_most_used_are_shown() -> None:
    groups = [
        PatternOverview(pattern=f"p{n}", held=n, waiting=1, oldest_hold=float(n))
        for n in range(MOST_PATTERNS + 10)
    ]
    shown = list(folded(tuple(groups)))
    assert len(shown) == MOST_PATTERNS + 1
    assert shown[-1] == PatternOverview(pattern=OTHER, held=45, waiting=10, oldest_hold=9.0)


def test_the_probe_tells_each_pattern() -> None:
    with lock("render:1"), lock("render:2"), lock("nightly"):
        result = Locks().run()
    assert result.values["held"] == 3
    assert {part.component: part.values["held"] for part in result.parts} == {
        "nightly": 1,
        "render:*": 2,
    }
