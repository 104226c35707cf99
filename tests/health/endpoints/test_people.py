"""Who sees what, from everybody to staff, and what becomes of it while the database is away."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from hashlib import sha256
from typing import Any

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from health.endpoints import people
from health.engine.checker import Checker
from tests.conftest import signed_in
from tests.health.conftest import Reply, call
from tests.health.probes import FAIL, Fake

Run = Callable[..., Checker]
TOKEN = "t" * 40
PRIVATE = ["/health/detailed", "/health/cache", "/metrics"]


@pytest.fixture(autouse=True)
def site(run: Run, settings: Settings) -> Checker:
    settings.HEALTH = {"TOKENS": [sha256(TOKEN.encode()).hexdigest()]}
    return run(Fake("database", critical=True, interval=60), Fake("cache", interval=60))


def bearer(client: APIClient) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": client._credentials["HTTP_AUTHORIZATION"]}


def cookie(user: User) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    key = client.cookies[configured.SESSION_COOKIE_NAME].value
    return {"HTTP_COOKIE": f"other=1; {configured.SESSION_COOKIE_NAME}={key}"}


CREDENTIALS: dict[str, Callable[[User], dict[str, str]]] = {
    "a session": cookie,
    "a bearer token": lambda user: bearer(signed_in(user)),
}


@pytest.fixture(params=CREDENTIALS.values(), ids=CREDENTIALS.keys())
def credentials(request: pytest.FixtureRequest) -> Callable[[User], dict[str, str]]:
    found: Callable[[User], dict[str, str]] = request.param
    return found


def shows_details(environ: dict[str, str]) -> bool:
    seen = ["componentId" in json.dumps(body(call(path, **environ))) for path in PRIVATE[:2]]
    metrics = call("/metrics", **environ)
    assert {*seen, metrics.status == 200} in ({True}, {False})
    return seen[0]


def body(reply: Reply) -> Any:
    return json.loads(reply.body)


def test_staff_with_the_permission_see_details(
    transactional_db: None, user: User, credentials: Callable[[User], dict[str, str]]
) -> None:
    user.is_staff = True
    user.save()
    user.user_permissions.add(Permission.objects.get(codename="view_details"))
    assert shows_details(credentials(user))


@pytest.mark.parametrize("staff", [True, False], ids=["without permission", "not staff"])
def test_nobody_else_does(
    transactional_db: None,
    user: User,
    credentials: Callable[[User], dict[str, str]],
    staff: bool,
) -> None:
    user.is_staff = staff
    user.save()
    if not staff:
        user.user_permissions.add(Permission.objects.get(codename="view_details"))
    assert not shows_details(credentials(user))


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP_AUTHORIZATION": "Bearer a.b.c"},
        {"HTTP_AUTHORIZATION": "Bearer " + "a" * 500_000 + ".b.c"},
        {"HTTP_COOKIE": "sessionid=nonsense"},
        {"HTTP_COOKIE": "sessionid="},
        {"HTTP_COOKIE": "sessionid=" + "x" * 1_000_000},
        {"HTTP_COOKIE": "\x00=;sessionid=\udcff"},
    ],
    ids=["no token", "a huge one", "no session", "an empty one", "a huge cookie", "bytes"],
)
def test_made_up_credentials_are_nobodys(transactional_db: None, environ: dict[str, str]) -> None:
    assert not shows_details(environ)


def test_no_connection_is_kept(operator: User, transactional_db: None) -> None:
    environ = cookie(operator)
    connection.close()
    connection.settings_dict["CONN_MAX_AGE"], before = 0, connection.settings_dict["CONN_MAX_AGE"]
    try:
        assert shows_details(environ)
        assert connection.connection is None
    finally:
        connection.settings_dict["CONN_MAX_AGE"] = before


@pytest.mark.parametrize("path", PRIVATE)
def test_without_a_database_staff_are_told_to_use_a_token(
    run: Run, transactional_db: None, operator: User, path: str, django_assert_num_queries: Any
) -> None:
    environ = cookie(operator)
    run(Fake("database", lambda: FAIL, critical=True), Fake("cache"))
    with django_assert_num_queries(0):
        reply = call(path, **environ)
    assert (reply.status, body(reply)["code"]) == (503, "database_unavailable")
    assert "token" in body(reply)["detail"]
    assert "Retry-After" in reply.headers
    known = {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}"}
    assert call(path, **environ, **known).status == (503 if path == "/health/detailed" else 200)
    assert call("/health/live", **environ).status == 200
    assert body(call("/health", **environ))["status"] == "fail"


def test_a_database_that_hangs_holds_up_a_few_threads_only(
    transactional_db: None, operator: User
) -> None:
    environ = cookie(operator)
    with ExitStack() as busy:
        for _ in range(people.MOST):
            busy.enter_context(people._turns)
        assert {call(path, **environ).status for path in PRIVATE} == {503}
    assert shows_details(environ)


def test_everybody_may_be_left_with_the_overall_word(settings: Settings) -> None:
    settings.HEALTH = {**settings.HEALTH, "ANONYMOUS": "summary"}
    assert [call(path).status for path in ("/health", "/health/ready", "/health/startup")] == [
        200
    ] * 3
    replies = [call(f"/health/{name}") for name in ("cache", "nobody", "detailed")]
    assert {reply.status for reply in replies} == {401}
    assert {reply.headers["WWW-Authenticate"] for reply in replies} == {"Bearer"}
    assert len({json.dumps(body(reply) | {"instance": ""}) for reply in replies}) == 1
    known = {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}"}
    codes = [call(f"/health/{name}", **known).status for name in ("cache", "nobody", "detailed")]
    assert codes == [200, 404, 200]


@pytest.mark.parametrize("open_", [{"DEBUG": True}, {"HEALTH": {"DETAILS": "always"}}], ids=str)
def test_a_site_may_show_all_to_everybody(settings: Settings, open_: dict[str, Any]) -> None:
    for name, value in open_.items():
        setattr(settings, name, value)
    assert shows_details({})
