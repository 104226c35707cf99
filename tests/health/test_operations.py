"""The operations page: who sees what of it, and when a look at it brings something new."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from accounts.models import LoginGuard
from breaker import get_breaker
from config.redis import caches
from health.contrib.breaker import Breakers
from health.contrib.locking import Locks
from health.engine.checker import Checker
from health.identity import this_process
from health.models import Alert, HealthTransition
from health.operations.sections import services, version
from health.templatetags.operations import moment, spoken
from locking import lock
from tests.servers import Valkey

from .conftest import eventually
from .probes import FAIL, Fake

PAGE, PANELS = "/admin/health/operations/", "/admin/health/operations/panels/"
Run = Callable[..., Checker]


@pytest.fixture
def pages(operator: User, client: Client) -> Client:
    client.force_login(operator)
    return client


@pytest.fixture
def seen_by(client: Client, user: User) -> Callable[..., Client]:
    """A client of a staff user with these permissions."""

    def sign_in(*permissions: str) -> Client:
        user.is_staff = True
        user.save()
        names = [permission.split(".")[1] for permission in permissions]
        user.user_permissions.set(Permission.objects.filter(codename__in=names))
        client.force_login(user)
        return client

    return sign_in


def sections_of(answer: Any) -> dict[str, str]:
    """Each section's HTML by its name."""
    found = re.findall(r'(<section id="(\w+)".*?</section>)', answer.content.decode(), re.DOTALL)
    return {name: " ".join(re.sub("<[^>]+>", " ", text).split()) for text, name in found}


def locked_account(user: User) -> LoginGuard:
    now = timezone.now()
    return LoginGuard.objects.create(
        dimension="account", digest="d" * 64, user=user, failed=5, pending=0, level=1,
        generation=1, hard=False, locked_until=now + timedelta(minutes=15), touched_at=now,
    )  # fmt: skip


def open_circuit(name: str) -> None:
    breaker = get_breaker(name, failure_threshold=1)
    with pytest.raises(ZeroDivisionError):
        breaker.call(lambda: 1 / 0)


def test_services_circuits_locks_and_locked_accounts_are_on_one_page(
    run: Run, pages: Client, user: User
) -> None:
    open_circuit("partner <b>")
    locked_account(user)
    run(Fake("cache", lambda: FAIL), Breakers(), Locks())
    with lock("nightly import", lease=60):
        shown = sections_of(pages.get(PAGE))
    assert list(shown) == [
        "services", "breakers", "locks", "accounts", "alerts", "changes", "timeline",
    ]  # fmt: skip
    assert "cache fail refused" in shown["services"]
    assert "partner &lt;b&gt; open 100% 1 0" in shown["breakers"]
    assert "nightly import held" in shown["locks"]
    assert "ada locked 5 1" in shown["accounts"]


def test_alerts_of_prometheus_are_on_it_and_on_the_timeline(
    run: Run, pages: Client, seen_by: Callable[..., Client]
) -> None:
    run(Fake("cache"))
    now = timezone.now()
    common = {"origin": "prometheus", "component": "render:*", "changed_at": now}
    Alert.objects.create(
        fingerprint="a", alert="LockLost", severity="ticket", state="firing", **common,
        since=now - timedelta(hours=2), fired_at=now - timedelta(hours=2),
    )  # fmt: skip
    Alert.objects.create(
        fingerprint="b", alert="LockWaitersPiling", severity="page", state="quiet", **common,
        fired_at=now - timedelta(hours=8), resolved_at=now - timedelta(hours=5),
    )  # fmt: skip
    Alert.objects.create(
        fingerprint="c", alert="LockHeldTooLong", state="quiet", **common,
        fired_at=now - timedelta(hours=30), resolved_at=now - timedelta(hours=25),
    )  # fmt: skip
    shown = sections_of(pages.get(PAGE))
    assert "LockLost firing render:* \N{EN DASH} Prometheus ticket 2 h" in shown["alerts"]
    assert "LockWaitersPiling" not in shown["alerts"]
    assert re.search(r"LockLost render:\* .*LockWaitersPiling render:\* ", shown["timeline"])
    assert "LockHeldTooLong" not in shown["timeline"]
    others = seen_by("health.view_operations", "health.view_healthtransition")
    assert "LockLost" not in sections_of(others.get(PAGE))["timeline"]


def test_empty_panels_say_what_is_fine(run: Run, pages: Client) -> None:
    run(Fake("cache"), Breakers(), Locks())
    shown = sections_of(pages.get(PAGE))
    assert "No circuit is in use yet." in shown["breakers"]
    assert "No lock is held." in shown["locks"]
    assert "No account is locked." in shown["accounts"]
    assert "Nothing is wrong that somebody should know." in shown["alerts"]
    assert "Nothing has changed yet." in shown["changes"]


def test_alerts_that_hold_and_the_latest_changes_are_on_it(run: Run, pages: Client) -> None:
    run(Fake("cache"))
    now = timezone.now()
    place = {"service": "cache", "component": "default", "reason": "refused"}
    for state in ("pending", "firing", "resolved"):
        Alert.objects.create(
            fingerprint=state, alert=f"Cache{state}", state=state, severity="ticket",
            since=now - timedelta(hours=3), changed_at=now, **place,
        )  # fmt: skip
    for number in range(21):
        HealthTransition.objects.create(
            before="pass", after="warn", node=f"web-{number}", **place,
            at=now - timedelta(minutes=number),
        )  # fmt: skip
    answer = pages.get(PAGE)
    shown = sections_of(answer)
    assert "Cachefiring firing cache \N{EN DASH} this site ticket 3 h" in shown["alerts"]
    assert shown["alerts"].index("firing") < shown["alerts"].index("pending")
    assert "resolved" not in shown["alerts"]
    assert re.search(r"cache warn pass refused web-0 \d+ s", shown["changes"])
    assert "These are the first 20: see all" in shown["changes"]
    assert "web-20" not in shown["changes"]
    # Another node's.
    assert shown["timeline"].endswith("pass throughout")
    # What is read out when it changes: things that have a state, once each.
    told = re.findall('data-told="(.*?)"', answer.content.decode())
    assert told == ["Overall", "cache", "Alert Cachefiring", "Alert Cachepending"]


def test_the_last_day_of_each_service_is_drawn_as_this_node_saw_it(run: Run, pages: Client) -> None:
    run(Fake("cache", interval=600), Fake("disk", interval=600))
    now = timezone.now()
    for before, after, ago in (("pass", "fail", 180), ("fail", "pass", 120)):
        HealthTransition.objects.create(
            service="cache", component="default", node=this_process().node,
            before=before, after=after, at=now - timedelta(minutes=ago),
        )  # fmt: skip
    page = pages.get(PAGE).content.decode()
    assert re.findall('class="fill-([a-z]+)"', page) == ["pass", "fail", "pass", "pass"]
    assert re.findall('class="summed">(.*?)<', page) == ["fail 60 min", "pass throughout"]


def test_without_the_permission_nothing_is_shown(
    run: Run, client: Client, seen_by: Callable[..., Client]
) -> None:
    run(Fake("cache"))
    assert client.get(PAGE).status_code == client.get(PANELS).status_code == 302
    nobody = seen_by("locking.view_heldlock")
    assert nobody.get(PAGE).status_code == nobody.get(PANELS).status_code == 403


@pytest.mark.parametrize(
    ("permission", "panels"),
    [
        ("breaker.view_breakerstate", "breakers"),
        ("breaker.command", "breakers"),
        ("locking.view_heldlock", "locks"),
        ("accounts.view_loginguard", "accounts"),
        ("health.view_alert", "alerts"),
        ("health.view_healthtransition", "changes timeline"),
    ],
)
def test_each_panel_is_for_those_who_may_see_its_app(
    run: Run, seen_by: Callable[..., Client], permission: str, panels: str
) -> None:
    run(Fake("cache"), Breakers())
    allowed = seen_by("health.view_operations", permission)
    assert list(sections_of(allowed.get(PANELS))) == ["services", *panels.split()]


def test_who_has_seen_it_all_is_sent_nothing(run: Run, pages: Client) -> None:
    still = Fake("cache", interval=600)
    running = run(still)
    first = pages.get(PANELS)
    tag = first.headers["ETag"]
    again = pages.get(PANELS, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert {"Date", "Age"} <= again.headers.keys()
    still.answer = lambda: FAIL
    running.wake(["cache"])
    eventually(lambda: running.edition.snapshot.status_of("cache") != "pass")
    changed = pages.get(PANELS, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert "cache warn" in sections_of(changed)["services"]


def test_only_the_section_that_changed_has_another_version(
    run: Run, pages: Client, user: User
) -> None:
    def versions() -> dict[str, str]:
        said = pages.get(PANELS).content.decode()
        return dict(re.findall(r'<section id="(\w+)" data-version="(\w+)"', said))

    run(Fake("cache", interval=600))
    before = versions()
    locked_account(user)
    after = versions()
    assert {name for name in before if before[name] != after[name]} == {"accounts"}


def test_circuits_that_could_not_be_looked_at_are_not_taken_for_none(
    run: Run, pages: Client
) -> None:
    run(Fake(Breakers.name, lambda: FAIL))
    shown = sections_of(pages.get(PAGE))["breakers"]
    assert "Nobody can tell now which circuits there are." in shown
    assert "No circuit is in use" not in shown


def test_circuits_of_one_process_alone_are_told_to_be_that(
    run: Run, pages: Client, settings: Any, own_valkey: Valkey
) -> None:
    settings.CACHES = caches(own_valkey.url)
    own_valkey.stop()
    running = run(Breakers())
    eventually(lambda: running.edition.snapshot.status_of("breakers") == "warn")
    assert "this is what one process sees" in sections_of(pages.get(PAGE))["breakers"]


def test_a_lock_store_that_is_down_is_told_not_waited_for(
    run: Run, pages: Client, settings: Any, own_valkey: Valkey
) -> None:
    settings.CACHES = caches(own_valkey.url)
    own_valkey.stop()
    run(Locks())
    assert "nothing is known about the locks" in sections_of(pages.get(PAGE))["locks"]


def test_a_lock_store_that_goes_down_between_two_looks_is_told(
    run: Run, pages: Client, settings: Any, own_valkey: Valkey
) -> None:
    run(Fake("cache"))
    settings.CACHES = caches(own_valkey.url)
    own_valkey.stop()
    assert "nothing is known about the locks" in sections_of(pages.get(PAGE))["locks"]


def test_of_very_many_locks_the_first_are_shown(run: Run, pages: Client) -> None:
    run(Fake("cache"))
    held = [lock(f"batch:{number}", lease=60).acquire() for number in range(51)]
    shown = sections_of(pages.get(PAGE))["locks"]
    for lease in held:
        lease.release()
    assert "These are the first 50: see all" in shown


def test_a_checker_that_is_stuck_is_no_pass(run: Run) -> None:
    snapshot = run(Fake("cache", interval=600)).edition.snapshot
    assert services(snapshot, stale=False).status == "pass"
    stale = services(snapshot, stale=True)
    assert (stale.status, stale.reason) == ("fail", "stale")
    assert version(stale) != version(services(snapshot, stale=False))


def test_the_address_of_the_design_leads_there(pages: Client) -> None:
    answer = pages.get("/admin/operations/")
    assert (answer.status_code, answer.headers["Location"]) == (302, PAGE)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (99.9, "99 s"), (100, "1 min"), (5_999, "99 min"), (6_000, "1 h"),
     (172_799, "47 h"), (172_800, "2 d")],
)  # fmt: skip
def test_spans_are_told_in_one_unit(seconds: float, words: str) -> None:
    assert spoken(seconds) == words


def test_a_moment_that_never_was_is_a_dash() -> None:
    assert moment(None) == "\N{EN DASH}"
