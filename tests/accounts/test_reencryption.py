import io
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from django.conf import settings as project
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts import blacklist, reencryption, sealed
from accounts.store_checks import check_encryption_keys
from tests.servers import wait_until

OLD, NEW = b"o" * 32, b"n" * 32
COLUMN = "token_blacklist_outstandingtoken.token"


def use(settings: Settings, *keys: bytes) -> None:
    settings.ACCOUNTS = {**settings.ACCOUNTS, "ENCRYPTION_KEYS": list(keys)}


def run(*arguments: str) -> Any:
    out = io.StringIO()
    call_command("accounts", "reencrypt", *arguments, stdout=out)
    return json.loads(out.getvalue()) if "--json" in arguments else out.getvalue()


def tokens(number: int) -> list[str]:
    """Rows by bulk, and so past the signals; sealed by hand."""
    rows = [OutstandingToken(jti=f"jti-{n}", expires_at=timezone.now()) for n in range(number)]
    for row in rows:
        row.token = sealed.seal(row.jti.encode(), blacklist.place(row))
    OutstandingToken.objects.bulk_create(rows)
    return [row.jti for row in rows]


def opened() -> list[str]:
    rows = OutstandingToken.objects.order_by("pk")
    return [sealed.unseal(row.token, blacklist.place(row)).decode() for row in rows]


def kids() -> Counter[str]:
    return Counter(row.token.split(".")[1] for row in OutstandingToken.objects.all())


@pytest.mark.django_db
def test_everything_moves_to_the_first_key_in_batches(settings: Settings) -> None:
    use(settings, OLD)
    names = tokens(reencryption.BATCH * 2 + 7)
    use(settings, NEW, OLD)
    assert run("--json")["moved"][COLUMN] == len(names)
    assert kids() == {sealed.kid(NEW): len(names)}
    assert run("--json")["moved"][COLUMN] == 0
    use(settings, NEW)
    assert opened() == names


@pytest.mark.django_db
def test_each_key_is_counted_and_told_whether_it_may_go(settings: Settings) -> None:
    use(settings, OLD)
    tokens(3)
    use(settings, NEW, OLD)
    old, new = sealed.kid(OLD), sealed.kid(NEW)
    assert [use.row for use in reencryption.report()] == [
        {"kid": new, "in_ring": True, "seals": True, "droppable": False, "rows": {}},
        {"kid": old, "in_ring": True, "seals": False, "droppable": False, "rows": {COLUMN: 3}},
    ]
    assert run("--json")["keys"] == [
        {"kid": new, "in_ring": True, "seals": True, "droppable": False, "rows": {COLUMN: 3}},
        {"kid": old, "in_ring": True, "seals": False, "droppable": True, "rows": {}},
    ]
    told = run()
    assert f"{new}         3 values  seals" in told
    assert f"{old}         0 values  may be dropped" in told


@pytest.mark.django_db
def test_a_key_in_use_is_not_declared_droppable(settings: Settings) -> None:
    use(settings, NEW, OLD)
    run("--drop", sealed.kid(OLD))
    with pytest.raises(CommandError, match="must stay"):
        run("--drop", sealed.kid(NEW))
    with pytest.raises(CommandError, match="No encryption key has this name"):
        run("--drop", "nonsense")


@pytest.mark.django_db
def test_a_row_written_meanwhile_is_left_as_it_is(settings: Settings) -> None:
    use(settings, OLD)
    tokens(1)
    use(settings, NEW, OLD)
    (column,) = (c for c in reencryption.columns() if c.model is OutstandingToken)
    row = OutstandingToken.objects.get()
    read = (row.pk, column.place(row.jti), row.token)
    anew = sealed.seal(b"written meanwhile", blacklist.place(row))
    OutstandingToken.objects.update(token=anew)
    assert reencryption._move(column, *read) == 0
    assert opened() == ["written meanwhile"]


@pytest.mark.django_db
def test_a_row_that_no_key_opens_stops_the_run_and_is_named(settings: Settings) -> None:
    use(settings, OLD)
    tokens(1)
    use(settings, NEW)
    with pytest.raises(CommandError, match=r"outstandingtoken\|token\|jti-0"):
        run()
    (found,) = check_encryption_keys(databases=["default"])
    assert (found.id, sealed.kid(OLD) in found.msg) == ("accounts.E003", True)
    assert check_encryption_keys(databases=None) == []
    use(settings, NEW, OLD)
    assert check_encryption_keys(databases=["default"]) == []


@pytest.mark.django_db
def test_what_got_in_past_the_signals_is_sealed_too(settings: Settings) -> None:
    row = OutstandingToken(jti="x", token="head.body.signature", expires_at=timezone.now())
    OutstandingToken.objects.bulk_create([row])
    run()
    assert opened() == ["head.body"]


SLOW = """
import django, time
django.setup()
from django.conf import settings
settings.ACCOUNTS = {**settings.ACCOUNTS, "ENCRYPTION_KEYS": [b"n" * 32, b"o" * 32]}
from accounts import reencryption
reencryption.BATCH = 10
whole = reencryption._reseal

def slowly(*arguments):
    time.sleep(0.3)
    return whole(*arguments)

reencryption._reseal = slowly
reencryption.run()
"""


@pytest.mark.race
def test_a_run_killed_half_way_is_resumed_and_loses_nothing(
    process_env: dict[str, str], settings: Settings
) -> None:
    use(settings, OLD)
    names = tokens(2_000)
    process = subprocess.Popen([sys.executable, "-c", SLOW], env=process_env, cwd=project.BASE_DIR)
    new = sealed.kid(NEW)
    try:
        wait_until(lambda: kids()[new] > 0, seconds=30)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    use(settings, NEW, OLD)
    half = kids()
    assert 0 < half[new] < len(names)
    assert half[sealed.kid(OLD)] == len(names) - half[new]
    assert opened() == names
    moved = run("--json", "--drop", sealed.kid(OLD))["moved"]
    assert sum(moved.values()) == len(names) - half[new]
    use(settings, NEW)
    assert opened() == names
