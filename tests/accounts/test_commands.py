import io
import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from django.conf import settings as project
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts import control, epochs, tidying
from accounts.models import LoginSession, Refresh, UserEpoch

from .conftest import Call, Json

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("accounts", *arguments, stdout=out)
    return out.getvalue()


def fails(code: int, *arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    assert caught.value.returncode == code
    return str(caught.value)


def test_revoke_ends_every_session_of_the_user(sign_in: Callable[..., Json], call: Call) -> None:
    pairs = [sign_in(), sign_in()]
    assert run("revoke", "ada", "--reason", "laptop lost", "--yes") == "2 sessions ended\n"
    assert {call("GET", "me", access=pair["access"]).status_code for pair in pairs} == {401}
    assert {session.reason for session in LoginSession.objects.all()} == {"laptop lost"}
    assert UserEpoch.objects.get().value == 1


@pytest.mark.parametrize("answer", ["n", "", EOFError])
def test_revoke_asks_first(
    pair: Json, call: Call, monkeypatch: pytest.MonkeyPatch, answer: str | type[Exception]
) -> None:
    def reply(question: str) -> str:
        if isinstance(answer, str):
            return answer
        raise answer

    monkeypatch.setattr("builtins.input", reply)
    assert fails(1, "revoke", "ada", "--reason", "laptop lost") == "Nothing was done."
    assert call("GET", "me", access=pair["access"]).status_code == 200
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert run("revoke", "ada", "--reason", "laptop lost") == "1 sessions ended\n"


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201], ids=["none", "blank", "long"])
def test_a_reason_that_cannot_be_kept_is_refused(pair: Json, call: Call, reason: str) -> None:
    assert "1 to 200" in fails(1, "revoke", "ada", "--reason", reason, "--yes")
    assert call("GET", "me", access=pair["access"]).status_code == 200


def test_revoke_ends_one_session(sign_in: Callable[..., Json], call: Call) -> None:
    lost, kept = sign_in(), sign_in()
    told = run("revoke", "--session", lost["session"], "--reason", "lost", "--yes", "--json")
    assert json.loads(told) == {"revoked": 1}
    codes = [call("GET", "me", access=pair["access"]).status_code for pair in (lost, kept)]
    assert codes == [401, 200]


def test_revoke_ends_all_sessions_of_everybody_in_batches(
    sign_in: Callable[..., Json], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "TAKEN", 2)
    pairs = [sign_in() for _ in range(5)]
    call("POST", "logout", access=pairs[0]["access"])
    assert run("revoke", "--all", "--reason", "leak", "--yes") == "4 sessions ended\n"
    assert {call("GET", "me", access=pair["access"]).status_code for pair in pairs} == {401}
    assert UserEpoch.objects.get().value == 1
    assert call("GET", "me", access=sign_in()["access"]).status_code == 200


def test_revoke_ends_what_began_before_a_time(sign_in: Callable[..., Json], call: Call) -> None:
    old, young = sign_in(), sign_in()
    LoginSession.objects.filter(pk=old["session"]).update(created_at="2020-01-01T00:00:00Z")
    for time, ended in (("2019-12-31T23:59:59+00:00", 0), ("2020-01-01T00:00:01", 1)):
        told = run("revoke", "--issued-before", time, "--reason", "leak", "--yes", "--json")
        assert json.loads(told) == {"revoked": ended}
    codes = [call("GET", "me", access=pair["access"]).status_code for pair in (old, young)]
    assert codes == [401, 200]


def test_revoke_names_who_is_not_there(user: User) -> None:
    assert "no user 'eve'" in fails(1, "revoke", "eve", "--reason", "x", "--yes")
    assert "no session 'x'" in fails(1, "revoke", "--session", "x", "--reason", "x", "--yes")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ada", "--yes"], "--reason"),
        (["--reason", "x", "--yes"], "required"),
        (["ada", "--all", "--reason", "x", "--yes"], "not allowed"),
        (["--issued-before", "yesterday", "--reason", "x", "--yes"], "not a time"),
        (["--issued-before", "2026-13-45T00:00", "--reason", "x", "--yes"], "not a time"),
    ],
)
def test_wrong_usage_is_told(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run("revoke", *arguments)


@pytest.mark.parametrize(
    "arguments",
    [["revoke", "nobody", "--reason", "x", "--yes"], ["revoke", "--yes"]],
    ids=["1", "2"],
)
def test_the_exit_code_tells_what_kind_of_failure_it_was(
    process_env: dict[str, str], arguments: list[str], request: pytest.FixtureRequest
) -> None:
    command = [sys.executable, "manage.py", "accounts", *arguments]
    ended = subprocess.run(
        command, cwd=project.BASE_DIR, env=process_env, capture_output=True, check=False
    )
    assert str(ended.returncode) == request.node.callspec.id, ended.stderr


def test_purge_forgets_what_is_past_its_end_and_nothing_else(
    sign_in: Callable[..., Json], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "BATCH", 2)
    old, living = [sign_in() for _ in range(3)], sign_in()
    call("POST", "token/refresh", {"refresh": old[0]["refresh"]})
    now = timezone.now()
    LoginSession.objects.exclude(pk=living["session"]).update(expires_at=now)
    digests = Refresh.objects.exclude(session=living["session"]).values_list("pk", flat=True)
    OutstandingToken.objects.filter(jti__in=list(digests)).update(expires_at=now)
    assert json.loads(run("purge", "--json")) == {
        "sessions": 3,
        "refresh_tokens": 4,
        "outstanding_tokens": 4,
        "login_guards": 0,
        "rate_windows": 0,
        "events": 0,
        "nonces": 0,
        "signing_keys": 0,
    }
    assert LoginSession.objects.get().pk == living["session"]
    assert Refresh.objects.count() == OutstandingToken.objects.count() == 1
    assert call("POST", "token/refresh", {"refresh": living["refresh"]}).status_code == 200
    assert run("purge").splitlines()[0] == "0 sessions forgotten"


def test_a_login_under_way_does_not_survive_a_revocation(user: User) -> None:
    epoch = epochs.hold(user)
    run("revoke", "ada", "--reason", "x", "--yes")
    assert UserEpoch.objects.get().value != epoch
