import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from pytest_django import Settings

from accounts import errors, sealed, signals, signing_keys
from accounts.client import Signer
from accounts.models import AuthEvent, KeyState, SigningKey
from accounts.models.signing import new_keyid

from .conftest import Call, Json
from .test_admin import signed_in
from .test_races import together
from .test_signing import read

pytestmark = pytest.mark.django_db
KEYS = "signing-keys"


@pytest.fixture
def keys(pair: Json, call: Call) -> Callable[..., Any]:
    """A call of ada's below ``signing-keys``."""

    def send(method: str, path: str = "", body: Any = None) -> Any:
        return call(method, KEYS + path, body, access=pair["access"])

    return send


def end(chosen: QuerySet[SigningKey]) -> int:
    return signing_keys.revoke(chosen, actor="somebody", now=timezone.now())


def works(row: Json) -> bool:
    answer = read().signed(Signer(row["keyid"], row["secret"])).send()
    assert answer.status_code in (200, 401)
    return bool(answer.status_code == 200)


def test_a_new_key_shows_its_secret_once(keys: Callable[..., Any]) -> None:
    answer = keys("POST", "", {"name": "ci"})
    row = answer.json()
    assert answer.status_code == 201
    assert (row["name"], row["state"], row["tag"]) == ("ci", "active", "mainstay")
    assert row["scopes"] == ["generate", "locks", "read"]
    assert len(urlsafe_b64decode(row["secret"] + "=")) == 32
    assert works(row)
    listed = keys("GET").json()
    assert listed["results"] == [
        {**{name: row[name] for name in row.keys() - {"secret", "tag"}},
         "last_used_at": listed["results"][0]["last_used_at"]}
    ]  # fmt: skip
    assert row["secret"] not in json.dumps(listed)


def test_only_its_seal_is_kept(keys: Callable[..., Any]) -> None:
    row = keys("POST", "", {"name": "ci"}).json()
    key = SigningKey.objects.get()
    assert sealed.is_envelope(key.secret)
    assert signing_keys.secret_of(key) == urlsafe_b64decode(row["secret"] + "=")


def test_times_and_scopes_are_as_asked_for(keys: Callable[..., Any]) -> None:
    start, end = timezone.now() + timedelta(hours=1), timezone.now() + timedelta(hours=2)
    body = {"name": "later", "scopes": ["read", "read"], "not_before": start, "not_after": end}
    row = keys("POST", "", json.loads(json.dumps(body, default=str))).json()
    assert row["scopes"] == ["read"]
    assert (parse_datetime(row["not_before"]), parse_datetime(row["not_after"])) == (start, end)
    assert not works(row)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": 7},
        {"name": "x" * 101},
        {"name": "a\0b"},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "scopes": "read"},
        {"name": "x", "scopes": ["read"] * 5},
        {"name": "x", "not_after": "2020-01-01T00:00:00Z"},
        {"name": "x", "not_before": "2999-01-02T00:00:00Z", "not_after": "2999-01-01T00:00:00Z"},
        {"name": "x", "not_after": "tomorrow"},
        {"name": "x", "secret": "mine"},
    ],
    ids=range(13),
)
def test_a_wrong_request_is_told_what_is_wrong(keys: Callable[..., Any], body: Any) -> None:
    answer = keys("POST", "", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert not SigningKey.objects.exists()


def test_only_staff_may_hold_keys_that_introspect(
    keys: Callable[..., Any], operator: User, sign_in: Callable[..., Json], call: Call
) -> None:
    asked = {"name": "x", "scopes": ["introspect"]}
    assert keys("POST", "", asked).json()["code"] == "permission_denied"
    access = sign_in(username="operator")["access"]
    assert call("POST", KEYS, asked, access=access).status_code == 201


def test_each_user_sees_their_own(
    keys: Callable[..., Any], operator: User, sign_in: Callable[..., Json], call: Call
) -> None:
    theirs = signing_keys.issue(operator, name="theirs", now=timezone.now()).key
    assert keys("GET").json()["results"] == []
    assert keys("POST", f"/{theirs.pk}/rotate", {}).status_code == 404
    assert keys("DELETE", f"/{theirs.pk}").status_code == 404
    assert SigningKey.objects.get().state == KeyState.ACTIVE
    assert keys("DELETE", f"/{10**30}").status_code == 404


def test_a_rotated_key_works_on_for_the_overlap(keys: Callable[..., Any]) -> None:
    old = keys("POST", "", {"name": "ci", "scopes": ["read"]}).json()
    answer = keys("POST", f"/{old['id']}/rotate", {"overlap_seconds": 3_600})
    new = answer.json()
    assert answer.status_code == 201
    assert (new["name"], new["scopes"], new["state"]) == ("ci", ["read"], "active")
    assert {new["keyid"], new["secret"]}.isdisjoint({old["keyid"], old["secret"]})
    assert works(old)
    assert works(new)
    row = SigningKey.objects.get(pk=old["id"])
    assert row.state == KeyState.RETIRING
    assert row.not_after is not None
    assert timezone.now() < row.not_after <= timezone.now() + timedelta(seconds=3_600)
    SigningKey.objects.filter(pk=row.pk).update(not_after=timezone.now())
    assert not works(old)
    assert works(new)


def test_without_overlap_the_old_key_is_dead_at_once(keys: Callable[..., Any]) -> None:
    old = keys("POST", "", {"name": "ci"}).json()
    keys("POST", f"/{old['id']}/rotate", {"overlap_seconds": 0})
    assert not works(old)


def test_a_key_of_limited_life_gets_a_successor_of_the_same_length(user: User) -> None:
    start = timezone.now()
    old = signing_keys.issue(user, name="x", now=start, not_after=start + timedelta(days=3)).key
    later = start + timedelta(days=2)
    new = signing_keys.rotate(old, overlap=timedelta(days=30), now=later).key
    assert new.not_after == later + timedelta(days=3)
    assert SigningKey.objects.get(pk=old.pk).not_after == start + timedelta(days=3)


@pytest.mark.parametrize("seconds", [-1, 2_592_001, "soon", None])
def test_an_overlap_out_of_range_is_refused(keys: Callable[..., Any], seconds: Any) -> None:
    row = keys("POST", "", {"name": "ci"}).json()
    answer = keys("POST", f"/{row['id']}/rotate", {"overlap_seconds": seconds})
    assert answer.status_code == 400
    assert SigningKey.objects.get().state == KeyState.ACTIVE


def test_only_an_active_key_is_rotated(keys: Callable[..., Any]) -> None:
    row = keys("POST", "", {"name": "ci"}).json()
    assert keys("POST", f"/{row['id']}/rotate", {}).status_code == 201
    again = keys("POST", f"/{row['id']}/rotate", {})
    assert (again.status_code, again.json()["code"]) == (409, "signing_key_not_active")


def test_a_revoked_key_is_dead_for_good_and_keeps_no_secret(keys: Callable[..., Any]) -> None:
    row = keys("POST", "", {"name": "ci"}).json()
    assert works(row)
    assert keys("DELETE", f"/{row['id']}").status_code == 204
    assert not works(row)
    assert keys("DELETE", f"/{row['id']}").status_code == 204
    assert SigningKey.objects.get().secret == ""
    assert keys("GET").json()["results"][0]["state"] == "revoked"


def test_nobody_has_keys_without_number(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_keys, "MOST", 2)
    made = [signing_keys.issue(user, name="x", now=timezone.now()).key for _ in range(2)]
    with pytest.raises(errors.TooManyKeys):
        signing_keys.issue(user, name="x", now=timezone.now())
    end(SigningKey.objects.filter(pk=made[0].pk))
    assert signing_keys.issue(user, name="x", now=timezone.now())


def test_observers_hear_of_keys_and_not_of_secrets(
    user: User, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[Any] = []

    def listener(**told: Any) -> None:
        heard.append({name: told[name] for name in told.keys() - {"signal", "sender"}})

    for signal in (signals.signing_key_issued, signals.signing_key_revoked):
        signal.connect(listener)
    with django_capture_on_commit_callbacks(execute=True):
        old = signing_keys.issue(user, name="x", now=timezone.now()).key
    with django_capture_on_commit_callbacks(execute=True):
        new = signing_keys.rotate(old, overlap=timedelta(0), now=timezone.now()).key
    with django_capture_on_commit_callbacks(execute=True):
        end(SigningKey.objects.all())
    assert heard[:2] == [{"key": old, "replaces": None}, {"key": new, "replaces": old}]
    assert sorted(each["keyid"] for each in heard[2:]) == sorted([old.keyid, new.keyid])


def test_the_life_of_a_key_is_on_record(user: User) -> None:
    old = signing_keys.issue(user, name="ci", now=timezone.now(), scopes=["read"]).key
    new = signing_keys.rotate(old, overlap=timedelta(hours=1), now=timezone.now()).key
    end(SigningKey.objects.filter(pk=old.pk))
    told = AuthEvent.objects.order_by("pk").values_list("kind", "user", "detail")
    assert list(told) == [
        ("signing_key_issued", user.pk, f"key {old.keyid} (ci) for read"),
        ("signing_key_rotated", user.pk, f"key {new.keyid} (ci) for read, replaces {old.keyid}"),
        ("signing_key_revoked", user.pk, f"key {old.keyid} (ci) by somebody"),
    ]


def test_a_revoked_key_tells_when_it_ended(user: User) -> None:
    key = signing_keys.issue(user, name="ci", now=timezone.now()).key
    before = timezone.now()
    end(SigningKey.objects.all())
    assert before <= (SigningKey.objects.get(pk=key.pk).not_after or before) <= timezone.now()


def test_a_key_of_somebody_demoted_is_rotated_without_the_scope_of_staff(operator: User) -> None:
    scopes = ["introspect", "read"]
    key = signing_keys.issue(operator, name="x", now=timezone.now(), scopes=scopes).key
    User.objects.filter(pk=operator.pk).update(is_staff=False)
    old = SigningKey.objects.get(pk=key.pk)
    assert signing_keys.rotate(old, overlap=timedelta(0), now=timezone.now()).key.scopes == ["read"]


def test_secrets_move_to_a_new_encryption_key(keys: Callable[..., Any], settings: Settings) -> None:
    old = settings.ACCOUNTS["ENCRYPTION_KEYS"]
    row, gone = (keys("POST", "", {"name": name}).json() for name in ("kept", "gone"))
    keys("DELETE", f"/{gone['id']}")
    settings.ACCOUNTS = {**settings.ACCOUNTS, "ENCRYPTION_KEYS": [b"n" * 32, *old]}
    call_command("accounts", "reencrypt")
    settings.ACCOUNTS = {**settings.ACCOUNTS, "ENCRYPTION_KEYS": [b"n" * 32]}
    assert works(row)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_rotations_at_once_one_makes_a_key(user: User) -> None:
    key = signing_keys.issue(user, name="x", now=timezone.now()).key

    def rotate() -> bool:
        try:
            signing_keys.rotate(key, overlap=timedelta(0), now=timezone.now())
        except errors.NotRotatable:
            return False
        return True

    assert sorted(together(*[rotate] * 8)) == [False] * 7 + [True]
    assert SigningKey.objects.count() == 2


LIST = "/admin/accounts/signingkey/"


def test_the_admin_shows_keys_and_no_secrets(operator: User, keys: Callable[..., Any]) -> None:
    row = keys("POST", "", {"name": "ci"}).json()
    client = signed_in(operator)
    for path in (LIST, f"{LIST}{row['id']}/change/"):
        page = client.get(path)
        assert page.status_code == 200
        assert row["keyid"] in page.text
        assert row["secret"] not in page.text
        assert SigningKey.objects.get().secret not in page.text
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}{row['id']}/delete/", {"post": "yes"}).status_code == 403


def revoked_in_the_admin(client: Client, row: Json) -> bool:
    client.post(LIST, {"action": "revoke_selected", "_selected_action": [row["id"]]})
    return SigningKey.objects.get(pk=row["id"]).state == KeyState.REVOKED


def test_the_admin_revokes_for_those_who_may(operator: User, keys: Callable[..., Any]) -> None:
    row = keys("POST", "", {"name": "ci"}).json()
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_signingkey"))
    assert not revoked_in_the_admin(signed_in(viewer), row)
    assert works(row)
    assert revoked_in_the_admin(signed_in(operator), row)
    assert not works(row)


@pytest.mark.parametrize("overlap", ["5", "\u0665", 5.0, True, None, -1, 30 * 86_400 + 1])
def test_an_overlap_is_a_number_of_seconds(keys: Callable[..., Any], overlap: Any) -> None:
    row = keys("POST", "", {"name": "x"}).json()
    answer = keys("POST", f"/{row['id']}/rotate", {"overlap_seconds": overlap})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "overlap_seconds")


@pytest.mark.parametrize("moment", ["2999-11-24", "2999-11-24T00:00:00", "2999-11-24T00:00Z", 5])
def test_a_moment_has_its_zone(keys: Callable[..., Any], moment: Any) -> None:
    answer = keys("POST", "", {"name": "x", "not_after": moment})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "not_after")


def test_a_name_of_a_key_is_none_of_an_option() -> None:
    made = {new_keyid() for _ in range(500)}
    assert len(made) == 500
    assert all(keyid.isalnum() and len(keyid) <= 22 for keyid in made)
