"""What a failed login costs must not tell why it failed."""

import time
from collections.abc import Callable
from threading import BoundedSemaphore
from typing import Any

import pytest
from django.contrib.auth.hashers import get_hasher, make_password
from django.contrib.auth.models import User
from django.utils.module_loading import import_string
from pytest_django import Settings

from accounts import passwords
from accounts.errors import RateLimited
from accounts.models import LoginGuard
from tests.hashers import QuickArgon2

from .conftest import PASSWORD, Call

pytestmark = pytest.mark.django_db

ARGON2 = "accounts.hashers.TunedArgon2"
PBKDF2 = "django.contrib.auth.hashers.PBKDF2PasswordHasher"


def older_hash(*, passes: int = 1_000) -> str:
    hasher: Any = get_hasher("pbkdf2_sha256")
    return str(hasher.encode(PASSWORD, "salt", passes))


def noting(hasher: Any, name: str, done: list[str]) -> Callable[..., Any]:
    real = getattr(hasher, name)

    def note(*given: Any) -> Any:
        before = len(done)
        answer = real(*given)
        # A verification encodes in its turn: that is one piece of work.
        del done[before:]
        done.append(hasher.algorithm)
        return answer

    return note


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Callable[..., list[str]]:
    """What a check hashes, by kinds."""
    settings.PASSWORD_HASHERS = ["tests.hashers.QuickArgon2", PBKDF2]
    done: list[str] = []
    for kind in ("default", "pbkdf2_sha256"):
        for name in ("encode", "verify"):
            monkeypatch.setattr(get_hasher(kind), name, noting(get_hasher(kind), name, done))

    def of(user: User | None, password: str = "wrong", *, welcome: bool = True) -> list[str]:
        done.clear()
        passwords.check(user, password, welcome=welcome)
        return sorted(done)

    return of


def test_each_failure_does_the_work_of_every_kind_of_hash_there_is(
    work: Callable[..., list[str]],
) -> None:
    modern = User.objects.create_user("modern", password=PASSWORD)
    older = User.objects.create(username="old", password=older_hash())
    unusable = User.objects.create_user("unusable")
    gibberish = User.objects.create(username="odd", password="no hash at all")
    work(None)
    for user in (None, modern, older, unusable, gibberish):
        assert work(user) == ["argon2", "pbkdf2_sha256"], user
    for turned_away in (modern, older):
        assert work(turned_away, PASSWORD, welcome=False) == ["argon2", "pbkdf2_sha256"]
    assert work(modern, PASSWORD) == ["argon2"]


def test_without_older_hashes_nothing_is_done_twice(work: Callable[..., list[str]]) -> None:
    modern = User.objects.create_user("modern", password=PASSWORD)
    work(None)
    assert work(None) == work(modern) == ["argon2"]


def test_a_kind_is_known_once_it_was_met(work: Callable[..., list[str]]) -> None:
    modern = User.objects.create_user("modern", password=PASSWORD)
    work(None)
    late = User.objects.create(username="late", password=older_hash())
    for user in (late, modern, None):
        assert work(user) == ["argon2", "pbkdf2_sha256"]


def test_hashes_that_even_out_themselves_are_of_one_kind(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = [PBKDF2, ARGON2]
    hasher: Any = get_hasher()
    assert passwords.kind(hasher.encode("x", "salt", 1000)) is None
    assert passwords.kind(make_password("x", hasher="argon2"))
    settings.PASSWORD_HASHERS = [ARGON2, PBKDF2]
    assert passwords.kind(hasher.encode("x", "salt", 1000))
    assert passwords.kind(hasher.encode("x", "salt", 1000)) != passwords.kind(
        hasher.encode("x", "salt", 1001)
    )


def test_only_so_many_passwords_are_hashed_at_a_time(
    user: User, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = BoundedSemaphore(1)
    taken.acquire()
    monkeypatch.setattr(passwords, "_slots", lambda number: taken)
    monkeypatch.setattr(passwords, "PATIENCE", 0.01)
    with pytest.raises(RateLimited):
        passwords.check(user, PASSWORD)
    answer = call("POST", "token", {"username": "ada", "password": PASSWORD})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    guard = LoginGuard.objects.get()
    assert (guard.failed, guard.pending) == (0, 0)
    taken.release()
    answer = call("POST", "token", {"username": "ada", "password": PASSWORD})
    assert answer.status_code == 200


def test_all_failures_take_equally_long(settings: Settings, call: Call) -> None:
    """The least processor time of rounds that take turns, since what else the machine does only
    adds to it. One hash more or less would be half as much again."""
    settings.PASSWORD_HASHERS = [ARGON2, PBKDF2]
    settings.ACCOUNTS = {
        **settings.ACCOUNTS, "LOCKOUT_TRIES": 1_000, "LOGIN_RATE": 10_000, "FAILURE_RATE": 10_000,
    }  # fmt: skip
    older = older_hash(passes=150_000)
    User.objects.create_user("wrong", password=PASSWORD)
    User.objects.create_user("inactive", password=PASSWORD, is_active=False)
    User.objects.create_user("unusable")
    User.objects.create(username="legacy", password=older)
    guesses = {
        "unknown": "x", "wrong": "x", "inactive": PASSWORD, "unusable": "x", "legacy": "x",
    }  # fmt: skip
    spent: dict[str, list[float]] = {name: [] for name in guesses}
    for _ in range(5):
        for name, password in guesses.items():
            began = time.thread_time()
            answer = call("POST", "token", {"username": name, "password": password})
            spent[name].append(time.thread_time() - began)
            assert answer.status_code == 401
    least = {name: min(each) for name, each in spent.items()}
    assert max(least.values()) <= 1.25 * min(least.values()), least


def test_a_user_model_with_a_check_of_its_own_is_asked_itself(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(User, "check_password", lambda self, raw: raw == "told by another system")
    assert passwords.check(user, "told by another system")
    assert not passwords.check(user, PASSWORD)


def test_kinds_are_found_by_their_parameters_too(work: Callable[..., list[str]]) -> None:
    """Before anybody tries such an account: the first try would tell."""
    for number, passes in enumerate((1_000, 2_000, 2_000)):
        User.objects.create(username=f"old-{number}", password=older_hash(passes=passes))
    heavier = QuickArgon2()
    heavier.memory_cost = 128
    User.objects.create(username="heavy", password=heavier.encode(PASSWORD, "saltsaltsalt"))
    modern = User.objects.create_user("modern", password=PASSWORD)
    work(None)
    for user in (None, modern, *User.objects.all()):
        assert work(user) == ["argon2", "argon2", "pbkdf2_sha256", "pbkdf2_sha256"], user


@pytest.mark.parametrize(
    "hasher",
    [
        "ScryptPasswordHasher",
        "PBKDF2SHA1PasswordHasher",
        "Argon2PasswordHasher",
        "MD5PasswordHasher",
    ],
)
def test_hashes_of_one_kind_are_found_once(settings: Settings, hasher: str) -> None:
    older = f"django.contrib.auth.hashers.{hasher}"
    settings.PASSWORD_HASHERS = ["tests.hashers.QuickArgon2", older]
    made: Any = import_string(older)()
    made.work_factor, made.iterations, made.memory_cost = 2, 1_000, 64
    for number in range(3):
        User.objects.create(
            username=f"old-{number}", password=made.encode("x", f"salt{number}salt")
        )
    assert len(list(passwords._older(make_password("x")))) == 1
