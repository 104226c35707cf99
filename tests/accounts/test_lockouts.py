"""Operators see who is locked out, and end it: over HTTP, in the admin, at the terminal."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import attempts, lockouts, signals
from accounts.models import AuthEvent, EventKind, LoginGuard

from .conftest import PASSWORD, Call, Json
from .test_login import heard

pytestmark = pytest.mark.django_db

LIST = "/admin/accounts/loginguard/"
LOCKOUTS = "/api/v1/auth/lockouts"


def fail(call: Call, name: str, times: int = 5) -> None:
    for _ in range(times):
        call("POST", "token", {"username": name, "password": "wrong"})


@pytest.fixture
def locked(user: User, call: Call) -> LoginGuard:
    fail(call, "ada")
    return LoginGuard.objects.get()


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def may_sign_in(call: Call) -> bool:
    answer = call("POST", "token", {"username": "ada", "password": PASSWORD})
    return bool(answer.status_code == 200)


class TestOverHttp:
    def test_rows_tell_who_is_locked_and_from_where(
        self, locked: LoginGuard, call: Call, operator_api: APIClient
    ) -> None:
        fail(call, "nobody")
        fail(call, "somebody", 4)
        unknown, known = operator_api.get(LOCKOUTS).json()["results"]
        until = known.pop("locked_until")
        assert known == {
            "id": locked.pk, "username": "ada", "dimension": "account", "failures": 5,
            "level": 1, "hard": False, "addresses": ["127.0.0.0/24"],
        }  # fmt: skip
        assert until.endswith("Z")
        assert unknown["username"] is None

    def test_the_list_comes_in_pages(self, call: Call, operator_api: APIClient) -> None:
        for number in range(3):
            fail(call, f"name {number}")
        page = operator_api.get(LOCKOUTS, {"limit": 2}).json()
        assert len(page["results"]) == 2
        rest = operator_api.get(page["next"]).json()
        assert len(rest["results"]) == 1
        assert rest["next"] is None

    def test_an_operator_unlocks(
        self, locked: LoginGuard, call: Call, operator_api: APIClient
    ) -> None:
        body = {"reason": "she called\nus"}
        with heard(signals.account_unlocked) as told:
            answer = operator_api.post(f"{LOCKOUTS}/{locked.pk}/unlock", body, format="json")
        assert (answer.status_code, answer.json()["locked_until"]) == (200, None)
        assert may_sign_in(call)
        event = AuthEvent.objects.get(kind=EventKind.UNLOCKED)
        assert event.detail == r"by operator: she called\nus"
        assert event.user_id == locked.user_id
        assert told == []  # not before the commit, which a test takes back

    def test_a_lock_is_needed_to_unlock_but_not_twice(
        self, locked: LoginGuard, operator_api: APIClient
    ) -> None:
        for _ in range(2):
            answer = operator_api.post(
                f"{LOCKOUTS}/{locked.pk}/unlock", {"reason": "x"}, format="json"
            )
            assert answer.status_code == 200
        assert AuthEvent.objects.filter(kind=EventKind.UNLOCKED).count() == 1
        assert operator_api.post(
            f"{LOCKOUTS}/0/unlock", {"reason": "x"}, format="json"
        ).status_code == 404  # fmt: skip

    @pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": 7}, {"reason": "x" * 201}])
    def test_a_reason_is_needed(
        self, locked: LoginGuard, operator_api: APIClient, body: Json
    ) -> None:
        answer = operator_api.post(f"{LOCKOUTS}/{locked.pk}/unlock", body, format="json")
        assert answer.status_code == 400
        assert lockouts.locked().exists()

    def test_others_neither_look_nor_unlock(self, api: APIClient, call: Call) -> None:
        fail(call, "nobody")
        guard = lockouts.locked().get()
        refused = [
            api.get(LOCKOUTS),
            api.post(f"{LOCKOUTS}/{guard.pk}/unlock", {"reason": "x"}, format="json"),
        ]
        assert {answer.status_code for answer in refused} == {403}
        assert call("GET", "lockouts").status_code == 401
        assert lockouts.locked().exists()


class TestInTheAdmin:
    def test_the_list_shows_who_is_locked(
        self, locked: LoginGuard, operator: User, call: Call
    ) -> None:
        fail(call, "nobody", 1)
        client = signed_in(operator)
        page = client.get(LIST, {"locked": "yes"}).text
        assert "ada" in page
        assert "127.0.0.0/24" in page
        assert "no user (" not in page
        assert "no user (" in client.get(LIST, {"locked": "no"}).text
        assert client.get(f"{LIST}{locked.pk}/change/").status_code == 200

    def test_the_selected_accounts_are_unlocked_for_a_reason(
        self, locked: LoginGuard, operator: User, call: Call
    ) -> None:
        client = signed_in(operator)
        body: Json = {"action": "unlock_selected", "_selected_action": [locked.pk]}
        assert "Say why" in client.post(LIST, body, follow=True).text
        assert not may_sign_in(call)
        assert "1 unlocked." in client.post(LIST, body | {"reason": "x"}, follow=True).text
        assert may_sign_in(call)
        assert AuthEvent.objects.get(kind=EventKind.UNLOCKED).detail == "by operator: x"

    def test_an_operators_lock_ends_with_an_operator(
        self, locked: LoginGuard, operator: User, call: Call
    ) -> None:
        client = signed_in(operator)
        body: Json = {"_selected_action": [locked.pk], "reason": "x"}
        for number in (1, 0):
            page = client.post(LIST, body | {"action": "lock_selected"}, follow=True)
            assert f"{number} locked." in page.text
        LoginGuard.objects.update(locked_until=timezone.now() - timedelta(days=9))
        assert not may_sign_in(call)
        client.post(LIST, body | {"action": "unlock_selected"})
        assert may_sign_in(call)

    def test_looking_does_not_allow_unlocking(self, locked: LoginGuard) -> None:
        viewer = User.objects.create_user("viewer", is_staff=True)
        viewer.user_permissions.add(Permission.objects.get(codename="view_loginguard"))
        client = signed_in(viewer)
        body: Json = {"action": "unlock_selected", "_selected_action": [locked.pk], "reason": "x"}
        assert client.get(LIST).status_code == 200
        client.post(LIST, body)
        assert lockouts.locked().exists()

    def test_what_happened_can_be_read_and_not_changed(
        self, locked: LoginGuard, operator: User
    ) -> None:
        client = signed_in(operator)
        path = "/admin/accounts/authevent/"
        event = AuthEvent.objects.earliest("pk")
        assert "account locked" in client.get(path).text
        assert client.get(f"{path}add/").status_code == 403
        assert client.post(f"{path}{event.pk}/change/", {"detail": "x"}).status_code == 403
        assert client.post(f"{path}{event.pk}/delete/", {"post": "yes"}).status_code == 403


class TestAtTheTerminal:
    def run(self, *arguments: str) -> str:
        out = io.StringIO()
        call_command("accounts", *arguments, stdout=out)
        return out.getvalue()

    def test_locked_lists_in_words_and_as_rest_does(
        self, locked: LoginGuard, call: Call, operator_api: APIClient
    ) -> None:
        fail(call, "nobody")
        unknown, known = self.run("locked").splitlines()
        assert known.startswith("ada  5 failures  level 1  until 20")
        assert known.endswith("from 127.0.0.0/24")
        assert unknown.startswith("(no user)  5 failures")
        assert json.loads(self.run("locked", "--json")) == operator_api.get(LOCKOUTS).json()

    def test_unlock_unlocks_the_account_and_its_devices(
        self, sign_in: Callable[..., Json], call: Call
    ) -> None:
        token = sign_in()["device_token"]
        body = {"username": "ada", "password": "wrong"}
        for _ in range(5):
            call("POST", "token", body)
            call("POST", "token", body | {"device_token": token})
        assert lockouts.locked().count() == 2
        assert self.run("unlock", "ada", "--reason", "x", "--yes") == "ada unlocked\n"
        assert not lockouts.locked().exists()
        for more in ({}, {"device_token": token}):
            good: Json = {"username": "ada", "password": PASSWORD, **more}
            assert call("POST", "token", good).status_code == 200

    def test_unlock_asks_first(self, locked: LoginGuard, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("builtins.input", lambda question: "n")
        with pytest.raises(CommandError, match="Nothing was done"):
            self.run("unlock", "ada", "--reason", "x")
        monkeypatch.setattr("builtins.input", lambda question: "y")
        rows = json.loads(self.run("unlock", "ada", "--reason", "x", "--json"))["results"]
        assert [(row["username"], row["locked_until"]) for row in rows] == [("ada", None)]

    @pytest.mark.parametrize("name", ["ada", "nobody"])
    def test_who_is_not_locked_cannot_be_unlocked(self, user: User, name: str) -> None:
        with pytest.raises(CommandError) as refused:
            self.run("unlock", name, "--reason", "x", "--yes")
        assert refused.value.returncode == 1

    def test_wrong_usage_is_told_apart(self, process_env: dict[str, str]) -> None:
        ended = subprocess.run(
            [sys.executable, "manage.py", "accounts", "unlock", "ada", "--yes"],
            cwd=django_settings.BASE_DIR, env=process_env, capture_output=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 2, ended.stderr

    def test_purge_forgets_what_no_longer_counts(self, locked: LoginGuard) -> None:
        long_ago = timezone.now() - timedelta(days=91)
        LoginGuard.objects.update(touched_at=long_ago, locked_until=long_ago)
        AuthEvent.objects.update(at=long_ago)
        told = json.loads(self.run("purge", "--json"))
        assert (told["login_guards"], told["events"]) == (1, 6)


@pytest.mark.django_db(transaction=True)
def test_an_unlock_is_announced_when_it_is_done(locked: LoginGuard) -> None:
    with heard(signals.account_unlocked) as told:
        lockouts.unlock(LoginGuard.objects.all(), actor="operator", reason="x")
    assert told == [
        {"guard_id": locked.pk, "user_id": locked.user_id, "actor": "operator", "reason": "x"}
    ]


class TestTheLoginPage:
    PAGE = "/admin/login/"

    def post(self, client: Client, password: str, name: str = "operator") -> Any:
        return client.post(f"{self.PAGE}?next=/admin/", {"username": name, "password": password})

    @pytest.mark.parametrize("name", ["operator", "nobody"])
    def test_it_says_that_an_account_is_locked(self, operator: User, name: str) -> None:
        client = Client()
        for _ in range(5):
            assert self.post(client, "wrong", name).status_code == 200
        page = self.post(client, PASSWORD, name)
        assert page.status_code == 423
        assert 890 <= int(page.headers["Retry-After"]) <= 900
        assert (
            "The account is locked after too many failed logins. Try again in 15 minutes."
            in page.text
        )
        assert "<title>Error: " in page.text

    def test_it_says_that_somebody_comes_too_often(self, operator: User, settings: Any) -> None:
        settings.ACCOUNTS = {**settings.ACCOUNTS, "LOGIN_RATE": 2}
        client = Client()
        pages = [self.post(client, "wrong") for _ in range(3)]
        assert [page.status_code for page in pages] == [200, 200, 429]
        assert "Too many requests. Try again in" in pages[-1].text

    def test_it_knows_the_operators_browser(self, operator: User, call: Call) -> None:
        client = Client()
        assert self.post(client, PASSWORD).status_code == 302
        cookie = client.cookies["device_token"]
        assert cookie["httponly"]
        assert (cookie["samesite"], cookie["path"]) == ("Strict", self.PAGE)
        client.logout()
        client.cookies["device_token"] = cookie.value
        fail(call, "operator")
        assert self.post(Client(), PASSWORD).status_code == 423
        assert self.post(client, PASSWORD).status_code == 302
        kinds = AuthEvent.objects.filter(kind=EventKind.SUCCEEDED)
        assert [event.detail for event in kinds] == ["by cookie"] * 2

    def test_it_remembers_nobody_while_device_tokens_are_off(
        self, operator: User, settings: Any
    ) -> None:
        settings.ACCOUNTS = {**settings.ACCOUNTS, "DEVICE_LIFETIME": 0}
        client = Client()
        assert self.post(client, PASSWORD).status_code == 302
        assert "device_token" not in client.cookies

    def test_who_is_no_operator_gets_in_no_more_than_before(self, user: User) -> None:
        client = Client()
        page = self.post(client, PASSWORD, "ada")
        assert page.status_code == 200
        assert "Please enter the correct username and password" in page.text
        assert "device_token" not in client.cookies

    def test_a_longer_lock_is_told_in_hours(self, operator: User) -> None:
        LoginGuard.objects.create(
            dimension="account", digest=attempts.account(operator.pk).digest,
            failed=5, pending=0, level=5, generation=0, hard=True, touched_at=timezone.now(),
        )  # fmt: skip
        assert "Try again in 24 hours." in self.post(Client(), PASSWORD).text
