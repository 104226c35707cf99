from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts import attempts, sessions, signing_keys
from accounts.login import Origin
from accounts.models import AuthEvent, LoginSession

from .conftest import Call, Json

pytestmark = pytest.mark.django_db
LIST = "/admin/accounts/loginsession/"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_the_list_and_the_row_show_no_token(operator: User, pair: Json) -> None:
    client = signed_in(operator)
    for path in (LIST, f"{LIST}{pair['session']}/change/"):
        page = client.get(path)
        assert page.status_code == 200
        for token in (pair["access"], pair["refresh"]):
            assert not any(part in page.text for part in token.split("."))


def test_simplejwts_pages_show_no_token(operator: User, pair: Json) -> None:
    client = signed_in(operator)
    row = OutstandingToken.objects.get()
    for path in ("", f"{row.pk}/change/"):
        page = client.get(f"/admin/token_blacklist/outstandingtoken/{path}")
        assert page.status_code == 200
        assert row.jti in page.text
        assert not any(part in page.text for part in pair["refresh"].split("."))


def test_rows_are_facts(operator: User, pair: Json) -> None:
    client = signed_in(operator)
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}{pair['session']}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"{LIST}{pair['session']}/change/", {"device": "x"}).status_code == 403


def test_the_selected_sessions_end(
    operator: User, sign_in: Callable[..., Json], call: Call
) -> None:
    gone, kept = sign_in(), sign_in()
    body = {"action": "end_selected", "_selected_action": [gone["session"]]}
    page = signed_in(operator).post(LIST, body, follow=True)
    assert "1 login session ended" in page.text
    assert call("GET", "me", access=gone["access"]).status_code == 401
    assert call("GET", "me", access=kept["access"]).status_code == 200
    assert LoginSession.objects.get(pk=gone["session"]).reason == "ended by operator"


def test_every_session_of_a_user_ends_with_one_of_them(
    operator: User, sign_in: Callable[..., Json], call: Call
) -> None:
    pairs, other = [sign_in() for _ in range(3)], sessions.start(operator)
    body = {"action": "end_all_of_users", "_selected_action": [pairs[1]["session"]]}
    page = signed_in(operator).post(LIST, body, follow=True)
    assert "3 login sessions ended" in page.text
    assert {call("GET", "me", access=pair["access"]).status_code for pair in pairs} == {401}
    assert call("GET", "me", access=other.access).status_code == 200


def test_a_session_is_found_by_what_the_record_says_of_it(
    operator: User, sign_in: Callable[..., Json]
) -> None:
    sign_in(device="another")
    found = sign_in(device="this")["session"]
    page = signed_in(operator).get(LIST, {"q": found[:8]}).text
    assert ">this</td>" in page
    assert ">another</td>" not in page


def test_the_record_tells_names_that_are_nobodys_apart(operator: User, call: Call) -> None:
    call("POST", "token", {"username": "nobody", "password": "wrong"})
    digest = AuthEvent.objects.get().account
    page = signed_in(operator).get("/admin/accounts/authevent/").text
    assert f"no user ({digest[:8]})" in page


def test_the_list_tells_who_is_alive_and_why_others_are_not(
    operator: User, sign_in: Callable[..., Json], call: Call
) -> None:
    call("POST", "logout", access=sign_in(device="left")["access"])
    sign_in(device="stays")
    late = sign_in(device="late")["session"]
    LoginSession.objects.filter(pk=late).update(expires_at=timezone.now())
    client = signed_in(operator)
    everything = client.get(LIST).text
    assert all(word in everything for word in ("alive", "logout", "its time is over"))
    devices = {"alive": {"stays"}, "over": {"left", "late"}}
    for life, shown in devices.items():
        page = client.get(LIST, {"life": life}).text
        assert {name for name in ("left", "stays", "late") if f">{name}</td>" in page} == shown


def test_a_user_is_deleted_with_all_that_is_theirs(operator: User, pair: Json, user: User) -> None:
    signing_keys.issue(user, name="ci", now=timezone.now())
    path = f"/admin/auth/user/{user.pk}/delete/"
    helper = User.objects.create_user("helper", is_staff=True)
    assert signed_in(helper).post(path, {"post": "yes"}).status_code == 403
    assert signed_in(operator).post(path, {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=user.pk).exists()
    assert not LoginSession.objects.exists()


def full(number: int) -> None:
    """A row of each kind for each of so many users."""
    for place in range(number):
        user = User.objects.create_user(f"user {number} {place}")
        sessions.start(user)
        signing_keys.issue(user, name="ci", now=timezone.now())
        attempts.fail(attempts.reserve(attempts.account(user.pk), Origin()), Origin("192.0.2.0/24"))


@pytest.mark.parametrize("kind", ["loginsession", "signingkey", "loginguard", "authevent"])
def test_a_long_list_asks_no_more_often_than_a_short_one(
    operator: User, django_assert_max_num_queries: DjangoAssertNumQueries, kind: str
) -> None:
    client = signed_in(operator)
    full(1)
    with django_assert_max_num_queries(50) as short:
        client.get(f"/admin/accounts/{kind}/")
    full(10)
    with django_assert_max_num_queries(len(short)) as _:
        page = client.get(f"/admin/accounts/{kind}/")
    assert page.text.count("user 10 ") >= 10


def test_looking_does_not_allow_ending(pair: Json, call: Call) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_loginsession"))
    body = {"action": "end_selected", "_selected_action": [pair["session"]]}
    client = signed_in(viewer)
    assert client.get(LIST).status_code == 200
    client.post(LIST, body)
    assert call("GET", "me", access=pair["access"]).status_code == 200
