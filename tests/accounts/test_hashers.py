from typing import Any

import pytest
from django.contrib.auth.hashers import check_password, get_hasher, make_password
from django.contrib.auth.models import User
from pytest_django import Settings

from accounts import passwords, sessions

from .conftest import PASSWORD, Call, Json
from .test_races import together

TUNED = ["accounts.hashers.TunedArgon2", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]


def test_passwords_take_46_mebibytes_one_pass_and_one_lane(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = TUNED
    encoded = make_password(PASSWORD)
    assert "$argon2id$v=19$m=47104,t=1,p=1$" in encoded
    assert check_password(PASSWORD, encoded)
    assert not check_password("another", encoded)


@pytest.mark.django_db
def test_a_login_replaces_a_legacy_hash_and_works(settings: Settings, call: Call) -> None:
    settings.PASSWORD_HASHERS = TUNED
    legacy = make_password(PASSWORD, hasher="pbkdf2_sha256")
    User.objects.create(username="old", password=legacy)
    answer = call("POST", "token", {"username": "old", "password": PASSWORD})
    assert User.objects.get().password.startswith("argon2")
    assert call("GET", "me", access=answer.json()["access"]).status_code == 200


@pytest.fixture
def legacy(settings: Settings, user: User) -> User:
    """Whose password was hashed by an older hasher."""
    pbkdf2 = "django.contrib.auth.hashers.PBKDF2PasswordHasher"
    settings.PASSWORD_HASHERS = [*settings.PASSWORD_HASHERS, pbkdf2]
    hasher: Any = get_hasher("pbkdf2_sha256")
    user.password = hasher.encode(PASSWORD, "salt", 1_000)
    user.save()
    return user


@pytest.mark.django_db
def test_a_new_hash_of_the_same_password_ends_nothing(legacy: User, call: Call) -> None:
    phone = sessions.start(legacy)
    answer = call("POST", "token", {"username": "ada", "password": PASSWORD})
    assert User.objects.get().password.startswith("argon2")
    for access in (phone.access, answer.json()["access"]):
        assert call("GET", "me", access=access).status_code == 200


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_logins_at_once_that_renew_a_hash_none_is_refused(legacy: User, call: Call) -> None:
    def login() -> Json:
        return dict(call("POST", "token", {"username": "ada", "password": PASSWORD}).json())

    for _ in range(3):
        User.objects.update(password=legacy.password)
        pairs = together(*[login] * 4)
        assert [call("GET", "me", access=pair["access"]).status_code for pair in pairs] == [200] * 4


@pytest.mark.django_db
def test_a_login_that_lost_to_a_change_of_the_password_renews_nothing(legacy: User) -> None:
    early = User.objects.get()
    User.objects.update(password=make_password("another one entirely"))
    assert passwords.check(early, PASSWORD)
    assert check_password("another one entirely", User.objects.get().password)
    assert early.password != User.objects.get().password
