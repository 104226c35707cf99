"""simplejwt's own tables mirror our sessions, and what is written there by others counts."""

from collections.abc import Callable
from importlib import import_module

import pytest
from django.apps import apps as django_apps
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts import blacklist, errors, sealed
from accounts.models import Refresh

from .conftest import Call, Json

pytestmark = pytest.mark.django_db


def test_each_refresh_token_is_outstanding_without_its_signature(pair: Json, user: User) -> None:
    row = OutstandingToken.objects.get()
    assert row.user == user
    assert row.jti == Refresh.objects.get().digest
    kept = sealed.unseal(row.token, blacklist.place(row)).decode()
    assert kept == pair["refresh"].rpartition(".")[0]
    assert not any(part in row.token for part in pair["refresh"].split("."))


def test_rotation_blacklists_the_used_token(pair: Json, call: Call) -> None:
    used = OutstandingToken.objects.get()
    call("POST", "token/refresh", {"refresh": pair["refresh"]})
    assert BlacklistedToken.objects.get().token == used
    assert OutstandingToken.objects.count() == 2


@pytest.mark.parametrize("how", ["logout", "password", "delete", "revoke"])
def test_whatever_ends_a_session_blacklists_its_token(
    pair: Json, call: Call, user: User, how: str
) -> None:
    match how:
        case "logout":
            call("POST", "logout", access=pair["access"])
        case "revoke":
            call("POST", "token/revoke", {"token": pair["refresh"]})
        case "password":
            user.set_password("another battery staple")
            user.save()
        case "delete":
            user.delete()
    assert BlacklistedToken.objects.get().token == OutstandingToken.objects.get()


def test_blacklisting_by_somebody_else_ends_the_session(
    sign_in: Callable[..., Json], call: Call
) -> None:
    lost, kept = sign_in(), sign_in()
    first = OutstandingToken.objects.order_by("pk").first()
    BlacklistedToken.objects.get_or_create(token=first)
    assert call("GET", "me", access=lost["access"]).json()["code"] == "token_revoked"
    assert call("GET", "me", access=kept["access"]).status_code == 200


def test_blacklisting_a_token_used_long_ago_ends_nothing(pair: Json, call: Call) -> None:
    fresh = call("POST", "token/refresh", {"refresh": pair["refresh"]}).json()
    entry = BlacklistedToken.objects.get()
    entry.save()
    assert call("GET", "me", access=fresh["access"]).status_code == 200


def test_no_signature_gets_in_whoever_writes() -> None:
    row = OutstandingToken.objects.create(
        jti="another", token="head.body.signature", expires_at=timezone.now()
    )
    assert sealed.unseal(row.token, blacklist.place(row)) == b"head.body"
    row.save()
    assert sealed.unseal(row.token, blacklist.place(row)) == b"head.body"


def test_what_was_sealed_for_another_row_does_not_get_in(pair: Json) -> None:
    stolen = OutstandingToken.objects.get().token
    with pytest.raises(errors.SealBroken, match=r"outstandingtoken\|token\|another"):
        OutstandingToken.objects.create(jti="another", token=stolen, expires_at=timezone.now())


def test_rows_from_before_the_seals_are_sealed_by_the_migration(pair: Json) -> None:
    row = OutstandingToken.objects.get()
    OutstandingToken.objects.update(token="head.body")
    migration = import_module("accounts.migrations.0002_seal_outstanding_tokens")
    migration.seal(django_apps, connection.schema_editor())
    row.refresh_from_db()
    assert sealed.unseal(row.token, blacklist.place(row)) == b"head.body"
    migration.seal(django_apps, connection.schema_editor())
    assert OutstandingToken.objects.get().token == row.token


def test_simplejwts_own_purge_runs(pair: Json) -> None:
    OutstandingToken.objects.update(expires_at=timezone.now())
    call_command("flushexpiredtokens")
    assert not OutstandingToken.objects.exists()
