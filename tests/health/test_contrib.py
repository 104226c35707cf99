import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from pytest_django import Settings

from breaker import CircuitOpenError, get_breaker
from breaker.agent import agent
from breaker.circuit import Verb
from breaker.contrib.google.access import Access
from breaker.control import act
from breaker.control import circuit as circuit_of
from breaker.status import CircuitStatus
from breaker.window import Tally
from config.redis import caches
from health import Reason, Status, registry
from health.contrib.breaker import SHOWN, Breakers, connect, grouped, metrics
from health.contrib.google import Google
from health.contrib.locking import Locks
from health.engine.checker import Checker
from health.engine.runner import observe
from health.engine.snapshot import Check, Snapshot
from locking import lock
from tests.servers import Valkey

from .conftest import call, eventually
from .test_metrics import samples

Run = Callable[..., Checker]


@pytest.fixture(autouse=True)
def fresh(transactional_db: None, settings: Settings) -> Iterator[str]:
    """A word for names of this test's own: the agent of an earlier one may still be at work."""
    agent.forget()
    word = uuid4().hex
    settings.BREAKER = {**settings.BREAKER, "NAMESPACE": word}
    yield word
    agent.flush()
    agent.forget()


def trip(name: str) -> None:
    def fail() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        get_breaker(name, failure_threshold=1, open_timeout=60).call(fail)


def circuit(name: str, state: str = "closed", override: str | None = None) -> CircuitStatus:
    return CircuitStatus(
        name=name,
        state=state,  # type: ignore[arg-type]
        override=override,  # type: ignore[arg-type]
        override_ends_in=None,
        epoch=1,
        calls=7,
        failures=5,
        slow=0,
        totals=Tally(ok=2, failed=5),
        rejected=2,
        retry_after=41.0 if state == "open" else 0.0,
        attempt=1,
        opened_at=None,
        open_until=None,
        changed_at=None,
        reason="",
        actor="",
        last_error="",
        source="shared",
    )


def test_each_installed_app_brings_its_services() -> None:
    assert [probe.name for probe in registry.available()] == [
        "database", "migrations", "cache", "disk", "locks", "breakers", "google_imagen",
        "google_veo", "google_vertex_ai", "accounts",
    ]  # fmt: skip


def test_locks_report_what_is_held() -> None:
    with lock("render:1"), lock("render:2"):
        result = Locks().run()
    assert (result.status, result.values["held"]) == (Status.PASS, 2)
    assert result.values["oldestHoldSeconds"] is not None
    assert Locks().run().values["oldestHoldSeconds"] is None


def test_locks_fail_where_their_store_is_dead(settings: Settings, own_valkey: Valkey) -> None:
    settings.CACHES = caches(own_valkey.url)
    own_valkey.stop()
    assert observe(Locks()).result.status is Status.FAIL


def test_a_closed_circuit_passes_and_an_open_one_warns(fresh: str) -> None:
    assert Breakers().run().status is Status.PASS
    get_breaker(f"quiet:{fresh}").call(str)
    trip(f"partner:{fresh}")
    result = Breakers().run()
    assert (result.status, result.reason) == (Status.WARN, Reason.OPEN)
    assert 55 < (result.retry_after or 0) <= 60
    assert [(part.component, part.status) for part in result.parts] == [
        (f"partner:{fresh}", Status.WARN),
        (f"quiet:{fresh}", Status.PASS),
    ]


def test_an_opened_circuit_shows_long_before_the_next_round(run: Run, fresh: str) -> None:
    patient = Breakers()
    patient.interval = 60
    running = run(patient)
    connect()
    assert running.edition.overall.word is Status.PASS
    trip(f"partner:{fresh}")
    eventually(lambda: running.edition.overall.word is Status.WARN)
    assert running.edition.overall.code == 200


OPEN_ONE = """
import sys
import django
django.setup()
from breaker import CircuitOpenError, get_breaker
from django.conf import settings
settings.BREAKER = {**settings.BREAKER, "NAMESPACE": sys.argv[1]}
try:
    get_breaker(f"partner:{sys.argv[1]}", failure_threshold=1).call(lambda: [][0])
except IndexError:
    pass
"""


def test_a_circuit_opened_by_another_process_shows_without_a_signal(
    run: Run, process_env: dict[str, str], fresh: str
) -> None:
    running = run(Breakers())
    command = [sys.executable, "-c", OPEN_ONE, fresh]
    subprocess.run(command, env=process_env, check=True, timeout=60)
    eventually(lambda: running.edition.overall.word is Status.WARN)


@pytest.mark.parametrize(
    ("state", "override", "status", "reason"),
    [
        ("closed", None, Status.PASS, None),
        ("open", None, Status.WARN, Reason.OPEN),
        ("half_open", None, Status.WARN, Reason.HALF_OPEN),
        ("closed", "forced_open", Status.WARN, Reason.OPEN),
        ("open", "disabled", Status.PASS, None),
        ("open", "metrics_only", Status.PASS, None),
    ],
)
def test_what_a_state_means(
    state: str, override: str | None, status: Status, reason: Reason | None
) -> None:
    result = grouped([circuit("veo", state, override)])
    assert (result.status, result.reason) == (status, reason)


def test_of_many_circuits_those_that_are_not_closed_are_shown() -> None:
    many = [circuit(f"host-{number}") for number in range(SHOWN)] + [circuit("zzz", "open")]
    result = grouped(many)
    assert (len(result.parts), result.parts[0].component) == (SHOWN, "zzz")
    assert result.values["circuits"] == SHOWN + 1


def test_what_is_not_configured_is_left_out_of_the_word(run: Run, settings: Settings) -> None:
    settings.GOOGLE_AI = {}
    running = run(Breakers(), Google("google_veo", Access()))
    assert running.edition.overall.word is Status.PASS
    assert call("/health/google_veo").status == 200


def test_strangers_do_not_learn_the_names_of_circuits(run: Run, fresh: str) -> None:
    trip(f"partner:{fresh}")
    run(Breakers())
    assert fresh.encode() not in call("/health/detailed").body
    assert fresh.encode() not in call("/health/breakers").body


def test_shared_state_is_in_the_metrics(run: Run, settings: Settings, fresh: str) -> None:
    settings.HEALTH = {"ALLOWED_CIDRS": ["10.0.0.0/8"]}
    trip(f"partner:{fresh}")
    with pytest.raises(CircuitOpenError):
        get_breaker(f"partner:{fresh}").call(int)
    get_breaker(f"quiet:{fresh}").call(int)
    agent.flush()
    with lock("render:1"):
        run(Breakers(), Locks())
    partner = f"partner:{fresh}"
    seen = samples(call("/metrics", REMOTE_ADDR="10.0.0.1").body.decode())
    assert seen["breaker_state", (("breaker", partner), ("state", "open"))] == 1
    assert seen["breaker_state", (("breaker", partner), ("state", "closed"))] == 0
    one = (("breaker", partner),)
    assert seen["breaker_window_failures", one] == seen["breaker_window_calls", one] == 1
    assert seen["breaker_window_slow", one] == 0
    calls = [
        seen["breaker_calls_total", (*one, ("outcome", outcome))]
        for outcome in ("ok", "failure", "throttled", "slow", "rejected")
    ]
    assert calls == [0, 1, 0, 0, 1]
    assert seen["breaker_epoch", one] == circuit_of(partner).epoch
    opened = seen["breaker_opened_timestamp_seconds", one]
    assert abs(opened - time.time()) < 30
    assert abs(seen["breaker_open_until_timestamp_seconds", one] - opened - 60) < 0.1
    quiet = (("breaker", f"quiet:{fresh}"),)
    assert seen["breaker_calls_total", (*quiet, ("outcome", "ok"))] == 1
    assert ("breaker_opened_timestamp_seconds", quiet) not in seen
    assert ("breaker_open_until_timestamp_seconds", quiet) not in seen
    assert seen["locking_held", (("pattern", "render:*"),)] == 1
    assert seen["locking_waiting", (("pattern", "render:*"),)] == 0


def test_transitions_are_counted_by_who_makes_them(
    run: Run, settings: Settings, fresh: str
) -> None:
    settings.HEALTH = {"ALLOWED_CIDRS": ["10.0.0.0/8"]}
    connect()
    name = f"partner:{fresh}"
    trip(name)
    act(name, Verb.CLOSE, actor="ada", reason="well again")
    agent.flush()
    run(Breakers())
    seen = samples(call("/metrics", REMOTE_ADDR="10.0.0.1").body.decode())
    for before, after in (("closed", "open"), ("open", "closed")):
        labels = (("breaker", name), ("from", before), ("to", after))
        assert seen["breaker_transitions_total", labels] == 1


def test_circuits_beyond_so_many_are_only_counted() -> None:
    now = datetime.now(UTC)
    result = grouped(circuit(f"host-{number}") for number in range(SHOWN + 3))
    check = Check.of(Breakers()).after(result, seconds=0, taken=0, time=now)
    families = list(metrics(Snapshot(checks=(check,), taken=0, time=now)))
    shown = {
        sample.labels["breaker"]
        for family in families
        for sample in family.samples
        if sample.labels
    }
    assert len(shown) == SHOWN
    assert [family.samples[0].value for family in families if family.name == "breaker_hidden"] == [
        3.0
    ]


def test_a_store_out_of_reach_warns_though_no_circuit_was_ever_used(
    own_valkey: Valkey, settings: Settings
) -> None:
    settings.CACHES = caches(own_valkey.url)
    own_valkey.stop()
    result = Breakers().run()
    assert (result.status, result.reason) == (Status.WARN, Reason.REFUSED)
