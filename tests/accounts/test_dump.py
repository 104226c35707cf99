"""What somebody has who has the whole database: nothing to come in with."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts import errors, sealed, signing_keys
from accounts.client import Signer
from accounts.models import SigningKey

from .conftest import PASSWORD, Call, Json
from .test_signing import read

LONG = 16


def cells() -> Iterator[str]:
    """Every value of every table as text."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor.fetchall():
                yield from (_text(value) for value in row)


def _text(value: Any) -> str:
    match value:
        case bytes() | memoryview():
            return bytes(value).decode("latin-1")
        case dict() | list():
            return json.dumps(value)
    return str(value)


def found(secrets: list[str], dump: str) -> list[str]:
    return [
        secret[start : start + LONG]
        for secret in secrets
        for start in range(len(secret) - LONG + 1)
        if secret[start : start + LONG] in dump
    ]


@pytest.mark.django_db
def test_a_dump_holds_no_part_of_any_token_secret_or_password(
    sign_in: Callable[..., Json], call: Call, operator: User
) -> None:
    pairs = [sign_in(), sign_in(), sign_in(username="operator", device="a laptop")]
    pairs.append(call("POST", "token/refresh", {"refresh": pairs[0]["refresh"]}).json())
    access = pairs[1]["access"]
    keys = [call("POST", "signing-keys", {"name": name}, access=access).json() for name in "ab"]
    keys.append(call("POST", f"signing-keys/{keys[0]['id']}/rotate", {}, access=access).json())
    call("DELETE", f"signing-keys/{keys[1]['id']}", access=access)
    signer = Signer(keys[2]["keyid"], keys[2]["secret"])
    signed = read().signed(signer)
    assert signed.send().status_code == 200
    Client().post("/admin/login/", {"username": "operator", "password": PASSWORD})
    call("POST", "logout", access=pairs[2]["access"])

    secrets = [pair[kind] for pair in pairs for kind in ("access", "refresh")]
    secrets += [key["secret"] for key in keys]
    secrets += [PASSWORD, signed.headers["Signature"], *_spoken(keys)]
    dump = "\n".join(cells())
    assert keys[0]["keyid"] in dump
    assert found(secrets, dump) == []


def _spoken(keys: list[Json]) -> Iterator[str]:
    """The secrets as bytes in hex, should somebody have kept them so."""
    for key in keys:
        yield Signer(key["keyid"], key["secret"])._secret.hex()


@pytest.mark.django_db
def test_the_search_would_find_what_is_there() -> None:
    assert found(["a secret of some length"], "x a secret of some length x")
    assert found(["a secret of some length"], "x a secret of s") == []


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["keys", "tokens"])
def test_two_rows_cannot_be_swapped(sign_in: Callable[..., Json], call: Call, table: str) -> None:
    access, _ = (sign_in()["access"] for _ in range(2))
    for name in "ab":
        call("POST", "signing-keys", {"name": name}, access=access)
    model, column = (SigningKey, "secret") if table == "keys" else (OutstandingToken, "token")
    first, second = model.objects.order_by("pk")
    swapped = {first: getattr(second, column), second: getattr(first, column)}
    for row, moved in swapped.items():
        model.objects.filter(pk=row.pk).update(**{column: moved})
        row.refresh_from_db()
        with pytest.raises(errors.SealBroken):
            if isinstance(row, SigningKey):
                signing_keys.secret_of(row)
            else:
                row.save()
    assert all(sealed.is_envelope(getattr(row, column)) for row in model.objects.all())
