import io
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts import epochs
from accounts.models import LoginSession, Refresh, UserEpoch

from .conftest import Call, Json

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("accounts", *arguments, stdout=out)
    return out.getvalue()


def test_revoke_ends_every_session_of_the_user(sign_in: Callable[..., Json], call: Call) -> None:
    pairs = [sign_in(), sign_in()]
    assert run("revoke", "ada", "--reason", "laptop lost", "--yes") == "2 sessions ended\n"
    assert {call("GET", "me", access=pair["access"]).status_code for pair in pairs} == {401}
    assert {session.reason for session in LoginSession.objects.all()} == {"laptop lost"}
    assert UserEpoch.objects.get().value == 1


def test_revoke_asks_first(pair: Json, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda question: "n")
    with pytest.raises(CommandError, match="Nothing was ended"):
        run("revoke", "ada", "--reason", "laptop lost")
    assert call("GET", "me", access=pair["access"]).status_code == 200
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert run("revoke", "ada", "--reason", "laptop lost") == "1 sessions ended\n"


def test_revoke_names_an_unknown_user(user: User) -> None:
    with pytest.raises(CommandError, match="no user 'eve'"):
        run("revoke", "eve", "--reason", "x", "--yes")


def test_revoke_wants_a_reason() -> None:
    with pytest.raises(CommandError, match="--reason"):
        run("revoke", "ada", "--yes")


def test_purge_forgets_what_is_past_its_end_and_nothing_else(
    sign_in: Callable[..., Json], call: Call
) -> None:
    old, living = sign_in(), sign_in()
    now = timezone.now()
    LoginSession.objects.filter(pk=old["session"]).update(expires_at=now)
    digest = Refresh.objects.get(session=old["session"]).digest
    OutstandingToken.objects.filter(jti=digest).update(expires_at=now)
    assert run("purge") == "1 sessions forgotten\n"
    assert LoginSession.objects.get().pk == living["session"]
    assert Refresh.objects.count() == OutstandingToken.objects.count() == 1
    assert call("POST", "token/refresh", {"refresh": living["refresh"]}).status_code == 200


def test_a_login_under_way_does_not_survive_a_revocation(user: User) -> None:
    epoch = epochs.hold(user)
    run("revoke", "ada", "--reason", "x", "--yes")
    assert UserEpoch.objects.get().value != epoch
