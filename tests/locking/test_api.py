from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from pytest_django import Settings
from rest_framework.test import APIClient

from locking import LockBusy, control, lock, semaphore
from locking.models import ForcedRelease
from locking.remote import Seats
from tests.conftest import signed_in
from tests.servers import Valkey

from .conftest import Use

pytestmark = pytest.mark.django_db

Ask = Callable[..., Any]
TOKEN = "0" * 32


def post(api: APIClient, verb: str, **body: Any) -> Any:
    return api.post(f"/api/v1/locks/{verb}", body, format="json")


def is_problem(response: Any, status: int, code: str) -> bool:
    return (
        response.status_code == status
        and response.headers["Content-Type"] == "application/problem+json"
        and response.json()["code"] == code
    )


def names(response: Any) -> list[str]:
    return [row["name"] for row in response.json()["results"]]


@pytest.fixture
def other_api(db: None) -> APIClient:
    return signed_in(User.objects.create_user("bob", password="correct horse battery"))


def test_a_lock_is_taken_extended_and_released(api: APIClient) -> None:
    response = post(api, "acquire", name="deploy", lease=20, meta={"build": 7})
    assert response.status_code == 201
    taken = response.json()
    assert (taken["name"], taken["lease"]) == ("deploy", 20.0)
    assert 19 < taken["expires_in"] <= 20
    extended = post(api, "extend", name="deploy", token=taken["token"], lease=60).json()
    assert 59 < extended["expires_in"] <= 60
    assert extended == {**taken, "lease": 60.0, "expires_in": extended["expires_in"]}
    for _ in range(2):
        gone = post(api, "release", name="deploy", token=taken["token"])
        assert (gone.status_code, gone.content) == (204, b"")
    assert is_problem(post(api, "extend", name="deploy", token=taken["token"]), 409, "lock_lost")


def test_a_caller_that_missed_the_answer_asks_again_with_its_own_token(api: APIClient) -> None:
    token = "0123456789abcdef" * 2
    first = post(api, "acquire", name="x", token=token)
    again = post(api, "acquire", name="x", token=token)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["token"] == again.json()["token"] == token
    assert first.json()["fence"] == again.json()["fence"]
    assert is_problem(post(api, "acquire", name="x"), 409, "lock_busy")
    assert post(api, "release", name="x", token=token).status_code == 204
    assert post(api, "acquire", name="x", token="ABC").status_code == 400


def test_a_lease_is_never_made_shorter(api: APIClient) -> None:
    taken = post(api, "acquire", name="deploy", lease=60).json()
    extended = post(api, "extend", name="deploy", token=taken["token"], lease=1).json()
    assert extended["expires_in"] > 50


def test_a_lock_that_is_held_is_busy_and_tells_when_to_come_back(
    api: APIClient, other_api: APIClient
) -> None:
    post(api, "acquire", name="deploy", lease=20)
    for wait in (0, 0.05):
        response = post(other_api, "acquire", name="deploy", wait=wait)
        assert is_problem(response, 409, "lock_busy")
        assert 15 < int(response.headers["Retry-After"]) <= 20


@pytest.mark.parametrize("verb", ["extend", "release"])
def test_only_the_token_proves_a_lease(api: APIClient, other_api: APIClient, verb: str) -> None:
    taken = post(api, "acquire", name="deploy").json()
    wrong = post(other_api, verb, name="deploy", token=TOKEN)
    assert is_problem(wrong, 409, "lock_lost")
    assert "token" in wrong.json()["detail"]
    assert post(other_api, verb, name="deploy", token=taken["token"]).status_code in (200, 204)


def test_a_lock_over_http_is_the_lock_of_that_name(api: APIClient) -> None:
    taken = post(api, "acquire", name="deploy").json()
    assert control.detail("deploy").holder.fence == taken["fence"]
    with pytest.raises(LockBusy):
        lock("deploy", wait=0).acquire()
    post(api, "release", name="deploy", token=taken["token"])
    with lock("deploy"):
        assert is_problem(post(api, "acquire", name="deploy"), 409, "lock_busy")


@pytest.fixture
def private(settings: Settings) -> None:
    settings.LOCKING = {**settings.LOCKING, "PRIVATE": ("generation:", "caf\u00e9")}


# The last is the first letter for letter, spelt otherwise.
PRIVATE = ["generation:7", "generation:", "caf\u00e9:7", "cafe\u0301:7"]


@pytest.mark.parametrize("name", PRIVATE)
def test_nobody_takes_or_frees_a_lock_of_the_program_over_http(
    api: APIClient, operator_api: APIClient, private: None, name: str
) -> None:
    lease = lock(name).acquire()
    for caller in (api, operator_api):
        for verb, body in (
            ("acquire", {"wait": 0}),
            ("extend", {"token": lease.token}),
            ("release", {"token": lease.token}),
        ):
            refused = post(caller, verb, name=name, **body)
            assert is_problem(refused, 403, "permission_denied")
            assert "the program's own" in refused.json()["detail"]
    lease.check()
    lease.release()


@pytest.mark.parametrize("name", ["generation", "my generation:7", "Generation:7"])
def test_other_names_are_for_everybody(api: APIClient, private: None, name: str) -> None:
    taken = post(api, "acquire", name=name)
    assert (taken.status_code, taken.json()["name"]) == (201, name)


def test_the_projects_own_locks_are_private(api: APIClient, operator_api: APIClient) -> None:
    for name in ("generation:7", control.PROBE):
        assert is_problem(post(api, "acquire", name=name), 403, "permission_denied")


@pytest.mark.parametrize("name", PRIVATE)
def test_only_operators_see_the_locks_of_the_program(
    api: APIClient, operator_api: APIClient, private: None, name: str
) -> None:
    post(api, "acquire", name="deploy", lease=20)
    with lock(name) as lease, semaphore("generation:all", 2), lock("import"):
        found = control.detail(name).name
        assert names(api.get("/api/v1/locks")) == ["deploy", "import"]
        assert set(names(operator_api.get("/api/v1/locks"))) == {
            "deploy", "import", found, "generation:all",
        }  # fmt: skip
        for query in ({"name": name}, {"name": "generation:all", "kind": "sem"}):
            hidden = api.get("/api/v1/locks/detail", query)
            assert is_problem(hidden, 403, "permission_denied")
        row = operator_api.get("/api/v1/locks/detail", {"name": name}).json()
        assert (row["name"], row["fence"]) == (found, lease.fence)


def test_an_operator_may_take_a_private_lock_from_its_holder(
    operator_api: APIClient, private: None
) -> None:
    lease = lock("generation:7").acquire()
    order = {"name": "generation:7", "fence": lease.fence, "reason": "it hangs"}
    assert post(operator_api, "force-release", **order).status_code == 200


def test_what_is_held_over_http_says_so_whatever_its_caller_says(
    api: APIClient, user: User
) -> None:
    post(api, "acquire", name="deploy", meta={"via": "post", "user_id": "1000", "build": 7})
    row = api.get("/api/v1/locks/detail?name=deploy").json()
    assert row["holder"]["meta"] == {"via": "http", "user_id": str(user.pk), "build": 7}
    lock("import").acquire()
    found = [(one.pattern, one.held) for one in control.overview().patterns]
    assert found == [("http", 1), ("import", 1)]


def test_a_row_tells_all_but_the_token(api: APIClient, user: User) -> None:
    taken = post(api, "acquire", name="deploy", meta={"build": 7}).json()
    response = api.get("/api/v1/locks/detail?name=deploy")
    row = response.json()
    assert set(row) == {
        "name", "kind", "phase", "fence", "holder", "held_for", "expires_in", "held", "holders",
        "waiting", "waiters", "grants", "contended", "forced",
    }  # fmt: skip
    assert row["holder"]["meta"] == {"build": 7, "user_id": str(user.pk), "via": "http"}
    assert set(row["holder"]) == {"host", "pid", "thread", "meta"}
    assert row["fence"] == taken["fence"]
    assert taken["token"] not in response.content.decode()


def test_a_semaphore_tells_each_who_holds_a_permit(operator_api: APIClient) -> None:
    pool = semaphore("pool", 2, meta={"job": 1})
    fences = [lease.fence for lease in (pool.acquire(), pool.acquire())]
    row = operator_api.get("/api/v1/locks/detail?name=pool&kind=sem").json()
    assert (row["kind"], row["held"], row["fence"]) == ("sem", 2, fences[0])
    assert [one["fence"] for one in row["holders"]] == fences
    assert row["holders"][0].items() >= {"mode": "permit", "meta": {"job": 1}}.items()
    order = {"name": "pool", "kind": "sem", "fence": fences[1], "reason": "it hangs"}
    assert post(operator_api, "force-release", **order).json()["kind"] == "sem"
    assert operator_api.get("/api/v1/locks/detail?name=pool&kind=x").status_code == 400


def test_a_free_lock_has_a_row_too(api: APIClient) -> None:
    row = api.get("/api/v1/locks/detail?name=never").json()
    assert (row["phase"], row["fence"], row["holder"], row["held_for"], row["expires_in"]) == (
        "free", None, None, None, None,
    )  # fmt: skip


def test_a_list_is_read_page_by_page(api: APIClient) -> None:
    for n in range(3):
        post(api, "acquire", name=f"n{n}", lease=10 + n)
    found, url = [], "/api/v1/locks?limit=2"
    while url:
        page = api.get(url)
        found.append(names(page))
        assert page.json()["previous"] is None
        url = page.json()["next"]
    assert found == [["n0", "n1"], ["n2"]]


@pytest.mark.parametrize("query", ["cursor=x", "limit=0", "limit=201", "limit=x"])
def test_a_list_refuses_what_makes_no_sense(api: APIClient, query: str) -> None:
    assert api.get(f"/api/v1/locks?{query}").status_code == 400


@pytest.mark.parametrize("path", ["locks?limit=5&prefix=a", "locks/detail?name=a&prefix=a"])
def test_a_query_with_more_than_is_known_is_refused(api: APIClient, path: str) -> None:
    response = api.get(f"/api/v1/{path}")
    assert is_problem(response, 400, "invalid")
    assert [error["field"] for error in response.json()["errors"]] == ["prefix"]


@pytest.mark.parametrize(
    ("verb", "body", "field"),
    [
        ("acquire", {}, "name"),
        ("acquire", {"name": ""}, "name"),
        ("acquire", {"name": 7}, "name"),
        ("acquire", {"name": "a\0"}, "name"),
        ("acquire", {"name": "x" * 201}, "name"),
        ("acquire", {"name": "x", "lease": 0}, "lease"),
        ("acquire", {"name": "x", "lease": "5"}, "lease"),
        ("acquire", {"name": "x", "lease": True}, "lease"),
        ("acquire", {"name": "x", "lease": 3601}, "lease"),
        ("acquire", {"name": "x", "wait": 10.5}, "wait"),
        ("acquire", {"name": "x", "wait": None}, "wait"),
        ("acquire", {"name": "x", "wait": -1}, "wait"),
        ("acquire", {"name": "x", "meta": []}, "meta"),
        ("acquire", {"name": "x", "meta": {"a\0": 1}}, "meta"),
        ("acquire", {"name": "x", "meta": {"a": [{"b": "c\0"}]}}, "meta"),
        ("acquire", {"name": "x", "fence": 1}, "fence"),
        ("extend", {"name": "x"}, "token"),
        ("release", {"name": "x", "token": ""}, "token"),
        ("release", {"name": "x", "token": "0" * 31}, "token"),
        ("release", {"name": "x", "token": "0" * 32 + "\n"}, "token"),
        ("release", {"name": "x", "token": "-"}, "token"),
    ],
)
def test_what_makes_no_sense_is_refused_and_named(
    api: APIClient, verb: str, body: dict[str, Any], field: str
) -> None:
    response = post(api, verb, **body)
    assert is_problem(response, 400, "invalid")
    assert [error["field"] for error in response.json()["errors"]] == [field]


@pytest.mark.parametrize("body", [{"name": "é" * 101}, {"name": "x", "meta": {"a": "b" * 1024}}])
def test_what_the_locks_refuse_is_told(api: APIClient, body: dict[str, Any]) -> None:
    assert is_problem(post(api, "acquire", **body), 400, "lock_invalid")


def test_strangers_are_not_served(client: APIClient) -> None:
    assert client.get("/api/v1/locks").status_code == 401
    for verb in ("acquire", "extend", "release", "force-release"):
        assert client.post(f"/api/v1/locks/{verb}").status_code == 401


def test_an_operator_takes_a_lock_from_its_holder(api: APIClient, operator_api: APIClient) -> None:
    taken = post(api, "acquire", name="deploy").json()
    order = {"name": "deploy", "fence": taken["fence"], "reason": "the client is gone"}
    record = post(operator_api, "force-release", **order)
    assert record.status_code == 200
    assert record.json().items() >= {**order, "actor": "operator", "outcome": "released"}.items()
    assert ForcedRelease.objects.get().actor == "operator"
    assert is_problem(post(api, "release", name="deploy", token=taken["token"]), 409, "lock_lost")
    assert is_problem(post(operator_api, "force-release", **order), 409, "stale_fence")


@pytest.mark.parametrize(
    ("staff", "permitted", "status"),
    [(False, False, 403), (True, False, 403), (False, True, 403), (True, True, 200)],
)
def test_only_staff_with_the_permission_may(
    user: User, staff: bool, permitted: bool, status: int
) -> None:
    user.is_staff = staff
    user.save()
    if permitted:
        user.user_permissions.add(Permission.objects.get(codename="force_release"))
    lease = lock("render").acquire()
    order = {"name": "render", "fence": lease.fence, "reason": "x"}
    assert post(signed_in(user), "force-release", **order).status_code == status
    assert ForcedRelease.objects.count() == (status == 200)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"fence": 1, "name": "x"}, "reason"),
        ({"fence": 1, "name": "x", "reason": "  "}, "reason"),
        ({"fence": "1", "name": "x", "reason": "r"}, "fence"),
        ({"fence": 0, "name": "x", "reason": "r"}, "fence"),
        ({"fence": 2**53, "name": "x", "reason": "r"}, "fence"),
        ({"name": "x", "reason": "r"}, "fence"),
    ],
)
def test_a_force_without_fence_or_reason_is_refused(
    operator_api: APIClient, body: dict[str, Any], field: str
) -> None:
    response = post(operator_api, "force-release", **body)
    assert is_problem(response, 400, "invalid")
    assert [error["field"] for error in response.json()["errors"]] == [field]


def test_a_store_that_is_down_is_not_a_busy_lock(
    api: APIClient, own_valkey: Valkey, use: Use
) -> None:
    use(own_valkey.url)
    own_valkey.stop()
    for response in (
        post(api, "acquire", name="x"),
        post(api, "extend", name="x", token=TOKEN),
        post(api, "release", name="x", token=TOKEN),
        api.get("/api/v1/locks"),
        api.get("/api/v1/locks/detail?name=x"),
    ):
        assert is_problem(response, 503, "lock_unavailable")
        assert response.headers["Retry-After"] == "1"


def test_a_record_survives_the_error_that_it_is_about(
    transactional_db: None, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = signed_in(operator)
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    order = {"name": "render", "fence": 1, "reason": "it hangs"}
    assert is_problem(post(api, "force-release", **order), 409, "stale_fence")
    assert post(api, "acquire", name="deploy").status_code == 201
    assert ForcedRelease.objects.get().outcome == "stale_fence"


def test_when_too_many_wait_the_next_is_told_at_once(settings: Settings, api: APIClient) -> None:
    settings.LOCKING = {**settings.LOCKING, "HTTP_WAITERS": 0}
    post(api, "acquire", name="deploy")
    assert is_problem(post(api, "acquire", name="deploy", wait=10), 409, "lock_busy")
    assert post(api, "acquire", name="free", wait=10).status_code == 201


def test_a_line_that_is_full_is_not_a_busy_lock(settings: Settings, api: APIClient) -> None:
    post(api, "acquire", name="deploy")
    settings.LOCKING = {**settings.LOCKING, "QUEUE_LIMIT": 0}
    response = post(api, "acquire", name="deploy", wait=1)
    assert is_problem(response, 503, "lock_queue_full")
    assert response.headers["Retry-After"] == "1"


def test_seats_are_counted_and_given_back() -> None:
    seats = Seats()
    with seats.taken(5, of=1) as first, seats.taken(5, of=1) as second:
        assert (first, second) == (5, 0)
    with seats.taken(0, of=1) as hasty, seats.taken(5, of=1) as patient:
        assert (hasty, patient) == (0, 5)


@pytest.mark.race
def test_a_caller_that_waits_gets_the_lock_when_it_is_free(
    transactional_db: None, user: User
) -> None:
    api, other = signed_in(user), signed_in(user)
    taken = post(api, "acquire", name="deploy").json()

    def wait() -> Any:
        try:
            return post(other, "acquire", name="deploy", wait=10)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(wait)
        while not control.detail("deploy").waiting:
            pass
        post(api, "release", name="deploy", token=taken["token"])
        response = waiter.result(timeout=30)
    assert response.status_code == 201
    assert response.json()["fence"] > taken["fence"]
