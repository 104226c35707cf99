import pytest
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import User
from pytest_django import Settings

from .conftest import PASSWORD, Call

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
