"""A user changed anywhere, by anything, loses what was issued before."""

from collections.abc import Callable

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from accounts import epochs
from accounts.models import LoginSession, UserEpoch

from .conftest import PASSWORD, Call, Json

pytestmark = pytest.mark.django_db


def new_password(user: User) -> None:
    user.set_password("another battery staple")
    user.save()


def switched_off(user: User) -> None:
    user.is_active = False
    user.save(update_fields=["is_active"])


def switched_off_and_on(user: User) -> None:
    switched_off(user)
    user.is_active = True
    user.save()


def made_staff(user: User) -> None:
    user.is_staff = True
    user.save()


def updated_in_bulk(user: User) -> None:
    User.objects.filter(pk=user.pk).update(password=make_password("another battery staple"))


def updated_by_sql(user: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE auth_user SET is_superuser = %s WHERE id = %s", [True, user.pk])


@pytest.mark.parametrize(
    "change",
    [
        new_password,
        switched_off,
        switched_off_and_on,
        made_staff,
        updated_in_bulk,
        updated_by_sql,
    ],
    ids=lambda change: change.__name__,
)
def test_a_change_kills_both_tokens(
    user: User, pair: Json, call: Call, change: Callable[[User], None]
) -> None:
    change(user)
    assert call("GET", "me", access=pair["access"]).json()["code"] == "token_revoked"
    refreshed = call("POST", "token/refresh", {"refresh": pair["refresh"]})
    assert refreshed.json()["code"] == "token_revoked"


def test_a_change_in_the_admin_kills_both_tokens(
    user: User, operator: User, pair: Json, call: Call
) -> None:
    admin = Client()
    admin.force_login(operator)
    body = {"password1": "another battery staple", "password2": "another battery staple"}
    changed = admin.post(
        f"/admin/auth/user/{user.pk}/password/", {"usable_password": "true", **body}
    )
    assert changed.status_code == 302
    assert call("GET", "me", access=pair["access"]).json()["code"] == "token_revoked"
    assert LoginSession.objects.get().reason == "password, activity or role changed"


def test_after_a_bulk_change_a_new_login_works_and_the_old_stays_dead(
    user: User, pair: Json, sign_in: Callable[..., Json], call: Call
) -> None:
    User.objects.filter(pk=user.pk).update(password=make_password(PASSWORD))
    fresh = sign_in()
    assert call("GET", "me", access=fresh["access"]).status_code == 200
    assert call("GET", "me", access=pair["access"]).json()["code"] == "token_revoked"


@pytest.mark.parametrize("fields", [None, ["last_login"], ["email"]], ids=str)
def test_any_other_change_leaves_sessions_alone(
    user: User, pair: Json, call: Call, fields: list[str] | None
) -> None:
    user.email = "ada@example.org"
    user.save(update_fields=fields)
    assert call("GET", "me", access=pair["access"]).status_code == 200


def test_what_a_save_left_out_does_not_count(user: User, pair: Json, call: Call) -> None:
    user.is_staff = True
    user.save(update_fields=["password"])
    assert call("GET", "me", access=pair["access"]).status_code == 200


def test_a_partly_loaded_user_can_be_saved(user: User, pair: Json, call: Call) -> None:
    User.objects.only("email").get(pk=user.pk).save()
    assert call("GET", "me", access=pair["access"]).status_code == 200


def test_users_who_never_signed_in_have_no_epoch(user: User) -> None:
    user.set_password("another battery staple")
    user.save()
    assert not UserEpoch.objects.exists()


def test_the_epoch_only_grows(user: User, sign_in: Callable[..., Json]) -> None:
    values = []
    for _ in range(3):
        sign_in()
        values.append(UserEpoch.objects.get().value)
        user.set_password(PASSWORD)
        user.save()
    assert values == [0, 1, 2]


def test_a_user_model_without_roles_has_a_standing_too() -> None:
    from django.contrib.auth.base_user import AbstractBaseUser

    class Plain(AbstractBaseUser):
        class Meta:
            app_label = "accounts"
            managed = False

    assert epochs.standing(Plain(password="a")) != epochs.standing(Plain(password="b"))
