"""What health tells of logins: in words of closed lists, and never by name."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.db import OperationalError, connection
from django.utils import timezone
from prometheus_client import Counter
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts import attempts, sessions, signals, signing_keys
from accounts.client import Signer
from accounts.login import Origin
from accounts.models import LoginSession
from config.redis import caches
from health import Reason, Status
from health.contrib import accounts
from health.contrib.accounts import Accounts
from health.engine.checker import Checker
from health.engine.runner import observe
from tests.servers import Valkey

from .conftest import call
from .test_metrics import samples

Run = Callable[..., Checker]
COUNTERS = [each for each in vars(accounts).values() if isinstance(each, Counter)]
SIGNALS = [each for each in vars(signals).values() if isinstance(each, signals.Signal)]


@pytest.fixture(autouse=True)
def connected() -> Iterator[None]:
    accounts.connect()
    yield
    for signal in (*SIGNALS, user_logged_in):
        signal.disconnect(dispatch_uid="health")


class Counted:
    """By how much counters of the process have grown since."""

    def __init__(self) -> None:
        self.before = self._all()

    def __call__(self, name: str, **labels: str) -> float:
        key = name, tuple(sorted(labels.items()))
        return self._all().get(key, 0.0) - self.before.get(key, 0.0)

    def _all(self) -> dict[Any, float]:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for counter in COUNTERS
            for family in counter.collect()
            for sample in family.samples
        }


@pytest.fixture
def grown() -> Counted:
    return Counted()


def log_in(name: str, password: str) -> Any:
    body = {"username": name, "password": password}
    return APIClient().post("/api/v1/auth/token", body, format="json")


def test_logins_are_counted_by_how_they_ended(transactional_db: None, grown: Counted) -> None:
    name = f"user {uuid4().hex}"
    User.objects.create_user(name, password="correct horse battery")
    assert log_in(name, "correct horse battery").status_code == 200
    codes = [log_in(name, "wrong").status_code for _ in range(6)]
    assert codes == [401] * 5 + [423]
    total = "accounts_login_attempts_total"
    assert grown(total, outcome="succeeded") == 1
    assert grown(total, outcome="failed") == 5
    assert grown(total, outcome="account_locked") == 1
    assert grown("accounts_lockouts_total", kind="user") == 1


def test_locks_on_names_that_nobody_has_are_of_a_kind_of_their_own(
    transactional_db: None, grown: Counted
) -> None:
    name = uuid4().hex
    assert [log_in(name, "wrong").status_code for _ in range(6)] == [401] * 5 + [423]
    assert grown("accounts_lockouts_total", kind="unknown") == 1
    assert grown("accounts_lockouts_total", kind="user") == 0


def test_too_many_logins_are_counted(
    transactional_db: None, grown: Counted, settings: Settings
) -> None:
    settings.ACCOUNTS = {**settings.ACCOUNTS, "LOGIN_RATE": 1}
    assert [log_in(uuid4().hex, "wrong").status_code for _ in range(2)] == [401, 429]
    assert grown("accounts_login_attempts_total", outcome="rate_limited") == 1


def test_a_login_to_the_admin_counts(
    transactional_db: None, operator: User, grown: Counted, client: Any
) -> None:
    given = {"username": "operator", "password": "correct horse battery"}
    assert client.post("/admin/login/", given).status_code == 302
    assert grown("accounts_login_attempts_total", outcome="succeeded") == 1


def test_refreshes_are_counted_and_so_are_the_sessions_that_end(
    transactional_db: None, user: User, grown: Counted, settings: Settings
) -> None:
    settings.ACCOUNTS = {**settings.ACCOUNTS, "REFRESH_OVERLAP": 60}
    first = sessions.start(user).refresh
    body = {"refresh": first}
    fresh = APIClient().post("/api/v1/auth/token/refresh", body, format="json").json()["refresh"]
    for token, code in ((first, 409), (fresh, 200), (first, 401), (fresh, 401)):
        answer = APIClient().post("/api/v1/auth/token/refresh", {"refresh": token}, format="json")
        assert answer.status_code == code
    total = "accounts_token_refresh_total"
    counted = {
        outcome: grown(total, outcome=outcome)
        for outcome in ("renewed", "overlap", "reused", "ended")
    }
    assert counted == {"renewed": 2, "overlap": 1, "reused": 1, "ended": 1}
    assert grown("accounts_sessions_ended_total", reason="refresh token reused") == 1


def test_what_an_operator_writes_is_no_label(
    transactional_db: None, user: User, grown: Counted
) -> None:
    sessions.start(user)
    sessions.end(LoginSession.objects.all(), reason=f"laptop {uuid4().hex} lost")
    assert grown("accounts_sessions_ended_total", reason="other") == 1


def test_signed_requests_and_keys_are_counted(
    transactional_db: None, user: User, grown: Counted
) -> None:
    issued = signing_keys.issue(user, name="ci", now=timezone.now())
    signer = Signer(issued.key.keyid, issued.secret)
    headers = signer.sign("GET", "http://testserver/api/v1/generations")
    codes = [APIClient().get("/api/v1/generations", headers=headers).status_code for _ in range(2)]
    assert codes == [200, 401]
    for outcome in ("accepted", "rejected"):
        assert grown("accounts_signature_checks_total", outcome=outcome) == 1
    signing_keys.rotate(issued.key, overlap=timedelta(0), now=timezone.now())
    signing_keys.revoke(user.signing_keys.all(), actor="somebody", now=timezone.now())
    changes = {
        change: grown("accounts_signing_keys_total", change=change)
        for change in ("issued", "rotated", "revoked")
    }
    assert changes == {"issued": 1, "rotated": 1, "revoked": 2}


def lock_out(user: User) -> None:
    for _ in range(5):
        attempts.fail(attempts.reserve(attempts.account(user.pk), Origin()), Origin())


def test_the_probe_tells_how_many_are_locked(transactional_db: None, user: User) -> None:
    assert Accounts().run().values == {"locked": 0}
    lock_out(user)
    result = Accounts().run()
    assert (result.status, result.values) == (Status.PASS, {"locked": 1})


def test_without_the_store_it_warns(
    transactional_db: None, settings: Settings, own_valkey: Valkey
) -> None:
    settings.CACHES = caches(own_valkey.url)
    own_valkey.stop()
    result = Accounts().run()
    assert (result.status, result.reason) == (Status.WARN, Reason.REFUSED)


def test_a_project_without_redis_misses_nothing(transactional_db: None, settings: Settings) -> None:
    memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    settings.CACHES = {**settings.CACHES, "accounts": memory}
    assert Accounts().run().status is Status.PASS


def test_without_the_database_it_fails(transactional_db: None) -> None:
    def down(*_: object) -> None:
        raise OperationalError("no answer")

    with connection.execute_wrapper(down):
        assert observe(Accounts()).result.status is Status.FAIL


def test_locked_accounts_are_scraped_and_nobody_is_named(
    transactional_db: None, user: User, run: Run, settings: Settings
) -> None:
    settings.HEALTH = {**settings.HEALTH, "ALLOWED_CIDRS": ["127.0.0.0/8"]}
    name = uuid4().hex
    lock_out(User.objects.create_user(name))
    log_in(name, "wrong")
    run(Accounts())
    body = call("/metrics", REMOTE_ADDR="127.0.0.1").body.decode()
    assert samples(body)["accounts_locked", ()] == 1
    assert name not in body
