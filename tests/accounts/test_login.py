"""The lock as a caller meets it, at every door that takes a password."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth import login as django_login
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.db import connection, connections, transaction
from django.dispatch import Signal
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import attempts, errors, login, signals
from accounts.login import LockoutBackend
from accounts.models import AuthEvent, EventKind, LoginGuard

from .conftest import PASSWORD, Call, Json

pytestmark = pytest.mark.django_db

WRONG = "wrong horse battery"


@contextmanager
def heard(signal: Signal) -> Iterator[list[Json]]:
    facts: list[Json] = []

    def hear(sender: Any, signal: Any, **told: Any) -> None:
        facts.append(told)

    signal.connect(hear)
    yield facts
    signal.disconnect(hear)


@pytest.fixture
def guess(call: Call) -> Call:
    def send(username: str = "ada", password: str = WRONG, **more: Any) -> Any:
        return call("POST", "token", {"username": username, "password": password, **more})

    return send


@pytest.fixture
def locked(user: User, guess: Call) -> User:
    for _ in range(5):
        assert guess().status_code == 401
    return user


def let_pass(seconds: float) -> None:
    """As if so much time had gone by."""
    for guard in LoginGuard.objects.all():
        guard.touched_at -= timedelta(seconds=seconds)
        if guard.locked_until:
            guard.locked_until -= timedelta(seconds=seconds)
        guard.save()


def test_five_failures_lock_the_account_for_a_quarter_of_an_hour(locked: User, guess: Call) -> None:
    for password in (WRONG, PASSWORD):
        answer = guess(password=password)
        assert (answer.status_code, answer.json()["code"]) == (423, "account_locked")
        assert 890 <= int(answer.headers["Retry-After"]) <= 900


def test_unknown_names_lock_with_the_same_answers(user: User, guess: Call) -> None:
    def story(name: str) -> list[Any]:
        answers = [guess(name) for _ in range(6)]
        documents = [answer.json() for answer in answers]
        for document in documents:
            document.pop("retry_after", None)
        headers = [sorted(answer.headers) for answer in answers]
        return [[answer.status_code for answer in answers], documents, headers]

    known, unknown = story("ada"), story("nobody")
    assert known == unknown
    assert known[0] == [401] * 5 + [423]


def test_each_failure_asks_the_database_as_often(user: User, guess: Call) -> None:
    User.objects.create_user("off", password=PASSWORD, is_active=False)
    User.objects.create_user("unusable")
    counts = []
    for name, password in (
        ("ada", WRONG), ("nobody", WRONG), ("off", PASSWORD), ("unusable", WRONG),
    ):  # fmt: skip
        guess(name, password)
        with CaptureQueriesContext(connection) as queries:
            guess(name, password)
        counts.append(len(queries))
    assert len(set(counts)) == 1, counts


def test_a_login_of_a_program_is_on_record_without_a_place(user: User) -> None:
    user_logged_in.send(User, user=user, request=None)
    assert AuthEvent.objects.get().network == ""


def test_spellings_of_a_name_do_not_tell_whether_it_is_there(user: User, guess: Call) -> None:
    """Were they counted together for strangers alone, one spelling would give the other away."""
    for name in ("bob", "ada"):
        for spelling in (name.upper(), name.title(), f"{name} ") * 2:
            guess(spelling)
        assert guess(name).status_code == 401


def test_failures_while_locked_change_nothing(locked: User, guess: Call) -> None:
    before = LoginGuard.objects.values().get()
    for _ in range(3):
        guess()
    assert LoginGuard.objects.values().get() == before


def test_the_lock_ends_by_itself_and_the_next_lasts_twice_as_long(
    locked: User, guess: Call
) -> None:
    let_pass(901)
    for _ in range(5):
        assert guess().status_code == 401
    assert int(guess().headers["Retry-After"]) > 1_700
    let_pass(1_801)
    assert guess(password=PASSWORD).status_code == 200
    assert LoginGuard.objects.get().level == 0


def test_a_success_forgets_failures_of_its_own_account_only(user: User, guess: Call) -> None:
    User.objects.create_user("eve", password=PASSWORD)
    for _ in range(4):
        guess("ada")
        assert guess("eve", PASSWORD).status_code == 200
    assert guess("ada").status_code == 401
    assert guess("ada").status_code == 423


def test_a_lock_ends_no_session_that_lives(pair: Json, guess: Call, call: Call) -> None:
    for _ in range(5):
        guess()
    assert guess(password=PASSWORD).status_code == 423
    assert call("GET", "me", access=pair["access"]).status_code == 200
    assert call("POST", "token/refresh", {"refresh": pair["refresh"]}).status_code == 200


def test_the_old_password_is_guarded_like_any_other(pair: Json, call: Call) -> None:
    body = {"current_password": WRONG, "new_password": "another battery staple"}
    codes = [
        call("POST", "password/change", body, access=pair["access"]).status_code for _ in range(6)
    ]
    assert codes == [401] * 5 + [423]


def test_whatever_calls_authenticate_is_guarded(locked: User, rf: RequestFactory) -> None:
    assert authenticate(username="ada", password=PASSWORD) is None
    request = rf.post("/")
    assert authenticate(request, username="ada", password=PASSWORD) is None
    assert isinstance(login.refusal(request), errors.AccountLocked)


@pytest.mark.django_db(transaction=True)
def test_coroutines_are_guarded_as_well(user: User) -> None:
    async def story(*passwords: str) -> list[Any]:
        found = [await aauthenticate(username="ada", password=password) for password in passwords]
        await sync_to_async(connections.close_all)()
        return found

    assert asyncio.run(story(PASSWORD, *[WRONG] * 5, PASSWORD)) == [user, *[None] * 6]


class ByMail(LockoutBackend):
    def find(self, name: str) -> Any:
        return User.objects.filter(email=name).first() or super().find(name)


def test_all_names_of_a_user_are_counted_together(
    user: User, guess: Call, settings: Settings
) -> None:
    settings.AUTHENTICATION_BACKENDS = ["tests.accounts.test_login.ByMail"]
    User.objects.filter(pk=user.pk).update(email="ada@example.org")
    for name in ("ada", "ada@example.org") * 2:
        guess(name)
    assert guess("ada").status_code == 401
    assert guess("ada@example.org").status_code == 423
    assert guess("ada", PASSWORD).status_code == 423


class Elsewhere:
    """A backend of somebody else's, which lets everybody in."""

    def authenticate(self, request: Any, username: str, password: str) -> User:
        return User.objects.get(username=username)


def test_who_was_let_in_elsewhere_gets_no_token_while_locked(
    locked: User, settings: Settings, guess: Call
) -> None:
    settings.AUTHENTICATION_BACKENDS = ["tests.accounts.test_login.Elsewhere"]
    assert guess(password="x").status_code == 423
    let_pass(901)
    assert guess(password="x").status_code == 200


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", "x" * 1025),
        ("a" * 255, PASSWORD),
        ("a\0", PASSWORD),
        ("ada", "\0"),
        ("ada", "\ud800"),
        ("\udfff", PASSWORD),
        (["ada"], PASSWORD),
        ("ada", 7),
    ],
    ids=["long password", "long name", "NUL in the name", "NUL in the password",
         "half a pair in the password", "half a pair in the name", "a list", "a number"],
)  # fmt: skip
def test_what_cannot_be_a_login_is_neither_looked_up_nor_hashed(
    user: User, name: Any, password: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert authenticate(username=name, password=password) is None


def test_no_credentials_at_all_are_somebody_elses(user: User) -> None:
    assert LockoutBackend().authenticate(None, username="ada") is None
    assert LockoutBackend().authenticate(None, password=PASSWORD) is None


def test_a_lock_is_announced_once(user: User, guess: Call) -> None:
    with heard(signals.account_locked) as locks, heard(signals.login_failed) as failures:
        for _ in range(8):
            guess()
    (lock,) = locks
    guard = LoginGuard.objects.get()
    assert lock == {
        "guard_id": guard.pk, "user_id": user.pk, "level": 1, "until": guard.locked_until,
    }  # fmt: skip
    assert failures == [{"username": "ada"}] * 5


def test_all_is_on_record_and_nothing_secret_is(user: User, guess: Call) -> None:
    guess(password=PASSWORD, device="line\r\nfeed")
    for name in ("ada", "my secret typed in the wrong field"):
        for _ in range(6):
            guess(name, WRONG)
    events = AuthEvent.objects.order_by("pk")
    kinds = ["login_failed"] * 5 + ["account_locked", "login_refused"]
    assert [event.kind for event in events] == ["login_succeeded", *kinds, *kinds]
    assert {event.user_id for event in events} == {user.pk, None}
    assert {event.network for event in events} == {"127.0.0.0/24"}
    assert events[0].device == r"line\r\nfeed"
    told = str(list(AuthEvent.objects.values())) + str(list(LoginGuard.objects.values()))
    for secret in (PASSWORD, WRONG, "my secret", "127.0.0.1"):
        assert secret not in told


def test_what_is_on_record_stays_as_it_is(user: User, guess: Call) -> None:
    guess()
    event = AuthEvent.objects.get()
    with pytest.raises(TypeError):
        event.save()
    with pytest.raises(TypeError):
        event.delete()


def test_ends_of_sessions_are_on_record(
    sign_in: Callable[..., Json], call: Call, no_overlap: None
) -> None:
    pair = sign_in()
    call("POST", "token/refresh", {"refresh": pair["refresh"]})
    call("POST", "token/refresh", {"refresh": pair["refresh"]})
    kinds = set(AuthEvent.objects.values_list("kind", flat=True))
    assert {EventKind.REVOKED, EventKind.REUSED} < kinds
    assert AuthEvent.objects.get(kind=EventKind.REVOKED).detail.startswith(
        f"session {pair['session'][:8]}: "
    )


def test_the_end_of_sessions_of_somebody_deleted_is_on_record(
    sign_in: Callable[..., Json], user: User
) -> None:
    pair = sign_in()
    user.delete()
    event = AuthEvent.objects.get(kind=EventKind.REVOKED)
    assert event.user_id is None
    assert event.detail == f"session {pair['session'][:8]}: user deleted"


@pytest.mark.django_db(transaction=True)
def test_a_login_without_a_password_may_be_part_of_a_transaction(user: User) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.7")
    request.session = Client().session
    with transaction.atomic():
        django_login(request, user)
        transaction.set_rollback(True)
    assert not AuthEvent.objects.exists()
    with transaction.atomic():
        django_login(request, user)
    assert AuthEvent.objects.get().network == "192.0.2.0/24"


class TestDevices:
    def test_a_known_device_gets_in_where_strangers_are_locked(
        self, sign_in: Callable[..., Json], guess: Call
    ) -> None:
        token = sign_in()["device_token"]
        for _ in range(5):
            guess()
        assert guess(password=PASSWORD).status_code == 423
        assert guess(password=PASSWORD, device_token=token).status_code == 200
        assert guess(password=PASSWORD).status_code == 423

    def test_it_has_five_tries_of_its_own(self, sign_in: Callable[..., Json], guess: Call) -> None:
        token = sign_in()["device_token"]
        codes = [guess(device_token=token).status_code for _ in range(6)]
        assert codes == [401] * 5 + [423]
        assert guess(password=PASSWORD, device_token=token).status_code == 423
        assert guess(password=PASSWORD).status_code == 200

    def test_collecting_tokens_brings_no_more_tries(
        self, sign_in: Callable[..., Json], guess: Call
    ) -> None:
        first = sign_in()["device_token"]
        second = sign_in(device_token=first)["device_token"]
        codes = [guess(device_token=token).status_code for token in [first, second] * 3]
        assert codes == [401] * 5 + [423]

    def test_another_users_token_makes_a_stranger(
        self, sign_in: Callable[..., Json], guess: Call
    ) -> None:
        User.objects.create_user("eve", password=PASSWORD)
        token = guess("eve", PASSWORD).json()["device_token"]
        sign_in()
        for _ in range(5):
            guess(device_token=token)
        assert guess(password=PASSWORD, device_token=token).status_code == 423

    def test_it_says_nothing_about_names(self, user: User, guess: Call) -> None:
        token = guess(password=PASSWORD).json()["device_token"]
        codes = [guess("nobody", device_token=token).status_code for _ in range(6)]
        assert codes == [401] * 5 + [423]

    def test_one_setting_switches_them_off(
        self, sign_in: Callable[..., Json], guess: Call, settings: Settings
    ) -> None:
        token = sign_in()["device_token"]
        settings.ACCOUNTS = {**settings.ACCOUNTS, "DEVICE_LIFETIME": 0}
        for _ in range(5):
            guess()
        assert guess(password=PASSWORD, device_token=token).status_code == 423
        let_pass(901)
        assert sign_in()["device_token"] is None

    def test_an_operators_lock_holds_for_them_too(
        self, sign_in: Callable[..., Json], guess: Call, user: User
    ) -> None:
        token = sign_in()["device_token"]
        LoginGuard.objects.update(hard=True)
        assert guess(password=PASSWORD, device_token=token).status_code == 423


def test_a_login_under_way_when_all_died_is_told_to_come_back(user: User, guess: Call) -> None:
    for _ in range(5):
        attempts.reserve(attempts.account(user.pk), login.Origin())
    answer = guess(password=PASSWORD)
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert answer.headers["Retry-After"] == "1"


def test_one_who_may_not_log_in_is_not_told_that_the_password_is_right(
    user: User, guess: Call
) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert [guess(password=PASSWORD).status_code for _ in range(6)] == [401] * 5 + [423]
