"""Circuits over HTTP."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from socket import gethostname
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Permission, User
from django.db import OperationalError, connection
from django_redis import get_redis_connection
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from breaker import control, get_breaker
from breaker.agent import agent
from breaker.circuit import Verb
from breaker.link import link
from breaker.models import BreakerConfig, BreakerTransition
from breaker.policy import Policy
from breaker.serializers import CircuitRow, TransitionRow
from tests.breaker.test_guard import Down, fail, open_circuit
from tests.conftest import signed_in
from tests.servers import Valkey

BASE = "/api/v1/breakers"


def url(name: str, *more: str) -> str:
    return "/".join([BASE, quote(name, safe=""), *more])


def post(client: APIClient, name: str, verb: str, **body: Any) -> Any:
    return client.post(url(name, verb), body, format="json")


def is_problem(response: Any, status: int, code: str) -> bool:
    body = response.json()
    assert (response.status_code, body.get("code")) == (status, code), body
    return response.headers["Content-Type"] == "application/problem+json"


def fields(response: Any) -> list[str]:
    return sorted({error["field"] for error in response.json()["errors"]})


def names(response: Any) -> list[str]:
    return [row["name"] for row in response.json()["results"]]


def down(execute: Any, sql: str, *args: Any) -> Any:
    """A database whose rows of circuits are out of reach."""
    if "breaker_breaker" in sql:
        raise OperationalError("could not connect")
    return execute(sql, *args)


@pytest.fixture
def history(transactional_db: None, settings: Settings) -> Iterator[None]:
    settings.BREAKER = {**settings.BREAKER, "HISTORY": True}
    yield
    assert agent.flush(30)


def test_a_row_tells_all_there_is(operator_api: APIClient) -> None:
    open_circuit("veo", window=30, slow_call_seconds=2)
    row = operator_api.get(url("veo")).json()
    assert set(row) == set(CircuitRow().fields)
    assert row.items() >= {
        "name": "veo", "state": "open", "override": None, "override_ends_in": None, "calls": 1,
        "failures": 1, "failure_rate": 1.0, "slow_rate": 0.0, "rejected": 0, "attempt": 1,
        "reason": "threshold_reached", "actor": "", "source": "shared",
        "totals": {"ok": 0, "failed": 1, "throttled": 0, "slow": 0},
    }.items()  # fmt: skip
    assert 55 < row["retry_after"] <= 60
    assert row["opened_at"] == row["changed_at"]
    assert row["opened_at"].endswith("Z")
    assert "Down: out of order" in row["last_error"]
    assert set(row["config"]) == set(CircuitRow().fields["config"].fields)
    assert row["config"].items() >= {
        "failure_threshold": 1, "window": 30, "slow_call_seconds": 2, "on_store_error": "local",
    }.items()  # fmt: skip


def test_what_went_wrong_where_and_who_said_why_are_for_operators(
    history: None, operator: User, user: User
) -> None:
    open_circuit("veo")
    control.act("veo", Verb.OPEN, actor="root@db-3", reason="card data at ACME")
    assert agent.flush(30)
    secrets = ("root@db-3", "ACME", "out of order", gethostname())
    theirs, ours = signed_in(user), signed_in(operator)
    for path in (url("veo"), BASE, url("veo", "transitions")):
        text = theirs.get(path).content.decode()
        assert not [secret for secret in secrets if secret in text]
    said, opened = theirs.get(url("veo", "transitions")).json()["results"]
    assert set(said) == set(TransitionRow().fields)
    nothing = {"actor": "", "host": "", "pid": None, "last_error": ""}
    assert said.items() >= ({"reason": ""} | nothing).items()
    assert opened.items() >= ({"reason": "threshold_reached"} | nothing).items()
    text = ours.get(url("veo", "transitions")).content.decode()
    assert [secret for secret in secrets if secret in text] == list(secrets)


def test_circuits_are_listed_by_name_page_by_page(api: APIClient) -> None:
    for name in ("c", "a", "e", "b", "d"):
        get_breaker(name).call(int)
    found, following = [], f"{BASE}?limit=2"
    while following:
        page = api.get(following)
        found.append(names(page))
        assert page.json()["previous"] is None
        following = page.json()["next"]
    assert found == [["a", "b"], ["c", "d"], ["e"]]
    assert api.get(f"{BASE}?limit=5").json()["next"] is None


def test_a_list_may_be_of_one_state(operator_api: APIClient) -> None:
    for name in ("a", "b", "c"):
        get_breaker(name).call(int)
    open_circuit("d")
    post(operator_api, "b", "open", reason="maintenance")
    assert names(operator_api.get(f"{BASE}?state=closed&limit=1")) == ["a"]
    assert names(operator_api.get(f"{BASE}?state=closed")) == ["a", "c"]
    assert names(operator_api.get(f"{BASE}?state=open")) == ["d"]
    assert names(operator_api.get(f"{BASE}?state=forced_open")) == ["b"]


def test_nothing_used_yet_is_an_empty_list(api: APIClient) -> None:
    assert api.get(BASE).json() == {"results": [], "next": None, "previous": None}


@pytest.mark.parametrize(
    "query",
    ["cursor=!", "cursor=%C3%A9", "cursor=gA", "limit=0", "limit=201", "limit=x", "state=ajar"],
)
def test_a_list_refuses_what_makes_no_sense(api: APIClient, query: str) -> None:
    assert is_problem(api.get(f"{BASE}?{query}"), 400, "invalid")


@pytest.mark.parametrize("path", [BASE, url("a", "transitions")])
def test_a_query_with_more_than_is_known_is_refused(api: APIClient, path: str) -> None:
    get_breaker("a").call(int)
    response = api.get(f"{path}?limit=5&actor=x")
    assert is_problem(response, 400, "invalid")
    assert fields(response) == ["actor"]


def test_strangers_are_not_served(client: APIClient) -> None:
    for path in (BASE, url("a"), url("a", "transitions")):
        assert is_problem(client.get(path), 401, "not_authenticated")
    assert is_problem(client.post(url("a", "open")), 401, "not_authenticated")


@pytest.mark.parametrize(
    ("staff", "permitted", "status"),
    [(False, False, 403), (True, False, 403), (False, True, 403), (True, True, 200)],
)
def test_only_staff_with_the_permission_may_act(
    user: User, staff: bool, permitted: bool, status: int
) -> None:
    get_breaker("a").call(int)
    user.is_staff = staff
    user.save()
    if permitted:
        user.user_permissions.add(Permission.objects.get(codename="command"))
    client = signed_in(user)
    for verb in ("open", "reset"):
        assert post(client, "a", verb, reason="x").status_code == status
    assert (control.circuit("a").actor == "ada") == (status == 200)


@pytest.mark.parametrize(
    ("verb", "state", "override"),
    [
        ("open", "open", "forced_open"),
        ("disable", "open", "disabled"),
        ("metrics-only", "open", "metrics_only"),
        ("auto", "open", None),
        ("close", "closed", None),
        ("reset", "closed", None),
    ],
)
def test_an_operator_says_what_a_circuit_is(
    operator_api: APIClient, verb: str, state: str, override: str | None
) -> None:
    open_circuit("veo")
    before = control.circuit("veo").epoch
    response = post(operator_api, "veo", verb, reason="says who")
    assert response.status_code == 200
    row = response.json()
    assert set(row) == set(CircuitRow().fields)
    assert (row["state"], row["override"], row["override_ends_in"]) == (state, override, None)
    assert (row["reason"], row["actor"]) == ("says who", "operator")
    assert row["epoch"] > before
    again = operator_api.get(url("veo")).json()
    assert {**again, "retry_after": 0} == {**row, "retry_after": 0}


def test_an_override_may_end_by_itself(operator_api: APIClient) -> None:
    get_breaker("veo").call(int)
    row = post(operator_api, "veo", "open", reason="r", expires_in=90).json()
    assert 85 < row["override_ends_in"] <= 90
    assert post(operator_api, "veo", "open", reason="r", expires_in=None).status_code == 200


def test_a_command_for_an_older_epoch_does_nothing(operator_api: APIClient) -> None:
    get_breaker("veo").call(int)
    seen = post(operator_api, "veo", "open", reason="r", expected_epoch=0).json()
    stale = post(operator_api, "veo", "close", reason="r", expected_epoch=0)
    assert is_problem(stale, 409, "stale_epoch")
    assert operator_api.get(url("veo")).json()["epoch"] == seen["epoch"]
    done = post(operator_api, "veo", "close", reason="r", expected_epoch=seen["epoch"])
    assert done.json()["state"] == "closed"


@pytest.mark.parametrize("verb", ["open", "metrics-only"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": None}, "reason"),
        ({"reason": ""}, "reason"),
        ({"reason": " \t"}, "reason"),
        ({"reason": 7}, "reason"),
        ({"reason": ["r"]}, "reason"),
        ({"reason": "x" * 301}, "reason"),
        ({"reason": "two\nlines"}, "reason"),
        ({"reason": "a\0"}, "reason"),
        ({"reason": "\u202eback"}, "reason"),
        ({"reason": "r", "actor": "somebody else"}, "actor"),
        ({"reason": "r", "override": "forced_open"}, "override"),
        ({"reason": "r", "expected_epoch": "1"}, "expected_epoch"),
        ({"reason": "r", "expected_epoch": True}, "expected_epoch"),
        ({"reason": "r", "expected_epoch": None}, "expected_epoch"),
        ({"reason": "r", "expected_epoch": -1}, "expected_epoch"),
        ({"reason": "r", "expected_epoch": 2**53}, "expected_epoch"),
        ({"reason": "r", "expires_in": 0}, "expires_in"),
        ({"reason": "r", "expires_in": -1}, "expires_in"),
        ({"reason": "r", "expires_in": 0.5}, "expires_in"),
        ({"reason": "r", "expires_in": 2_592_001}, "expires_in"),
        ({"reason": "r", "expires_in": 10**19}, "expires_in"),
        ({"reason": "r", "expires_in": "60"}, "expires_in"),
        ({"reason": "r", "expires_in": True}, "expires_in"),
        ({"reason": "r", "expires_in": {}}, "expires_in"),
    ],
)
def test_what_makes_no_sense_is_refused_and_named(
    operator_api: APIClient, verb: str, body: dict[str, Any], field: str
) -> None:
    get_breaker("veo").call(int)
    response = post(operator_api, "veo", verb, **body)
    assert is_problem(response, 400, "invalid")
    assert fields(response) == [field]
    assert control.circuit("veo").epoch == 0


@pytest.mark.parametrize("verb", ["close", "auto", "reset"])
def test_there_is_nothing_to_expire_after_other_verbs(operator_api: APIClient, verb: str) -> None:
    get_breaker("veo").call(int)
    response = post(operator_api, "veo", verb, reason="r", expires_in=60)
    assert is_problem(response, 400, "invalid")
    assert fields(response) == ["expires_in"]


def test_not_a_number_is_no_json(operator_api: APIClient) -> None:
    get_breaker("veo").call(int)
    body = b'{"reason": "r", "expires_in": NaN}'
    response = operator_api.post(url("veo", "open"), body, content_type="application/json")
    assert is_problem(response, 400, "malformed")


def test_a_name_nobody_has_heard_of_is_not_found(operator_api: APIClient) -> None:
    for name in (
        "never",
        "y" * 200,
        "x" * 201,
        "never/open",
        "never\nheard",
        "never  mind",
    ):
        assert is_problem(operator_api.get(url(name)), 404, "not_found")
        assert is_problem(operator_api.get(url(name, "transitions")), 404, "not_found")
        assert is_problem(post(operator_api, name, "open", reason="r"), 404, "not_found")
    assert control.circuits() == []
    assert is_problem(post(operator_api, "never", "explode", reason="r"), 405, "method_not_allowed")


ODD_NAMES = [
    "imagen:us-central1:imagen-3", "partner/orders", "/", "//", "a/", "..", "a/../b", "%2F", "%",
    "a%2Fopen", "?state=open", "#", "#1", "a b", "é", "💥", "عربى", "a;b", "open", "transitions",
    "config", "a/open", "a/close/open", "a/config", "x" * 200, "two\nlines", "nul\0", "\ud800",
    "<script>", "*", "[a]", "{breaker}",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_odd_names_are_names(operator_api: APIClient, name: str) -> None:
    shown = get_breaker(name).name
    get_breaker(name).call(int)
    assert operator_api.get(url(shown)).json()["name"] == shown
    assert names(operator_api.get(BASE)) == [shown]
    row = post(operator_api, shown, "open", reason="r").json()
    assert (row["name"], row["override"]) == (shown, "forced_open")
    assert operator_api.get(url(shown, "transitions")).status_code == 200
    assert post(operator_api, shown, "auto", reason="r").json()["override"] is None


def test_a_cursor_may_end_in_any_name(api: APIClient) -> None:
    for name in ODD_NAMES:
        get_breaker(name).call(int)
    found, following = [], f"{BASE}?limit=1"
    while following:
        page = api.get(following)
        found += names(page)
        following = page.json()["next"]
    assert found == sorted(get_breaker(name).name for name in ODD_NAMES)


def test_the_past_of_a_circuit_is_told_latest_first(history: None, operator: User) -> None:
    client = signed_in(operator)
    open_circuit("veo")
    for verb in ("open", "auto", "close"):
        assert post(client, "veo", verb, reason=f"to {verb}").status_code == 200
    assert agent.flush(30)
    found, following = [], f"{url('veo', 'transitions')}?limit=3"
    pages = 0
    while following:
        page = client.get(following).json()
        found += page["results"]
        following, pages = page["next"], pages + 1
    assert pages == 2
    assert set(found[0]) == set(TransitionRow().fields)
    assert [(row["from_state"], row["to_state"], row["reason"], row["actor"]) for row in found] == [
        ("open", "closed", "to close", "operator"),
        ("forced_open", "open", "to auto", "operator"),
        ("open", "forced_open", "to open", "operator"),
        ("closed", "open", "threshold_reached", ""),
    ]
    assert found[-1]["counts"] == {"ok": 0, "failed": 1, "throttled": 0, "slow": 0}
    assert "out of order" in found[-1]["last_error"]
    assert found[0]["at"].endswith("Z")


def test_without_a_database_circuits_are_told_and_their_past_is_not(
    history: None, operator: User
) -> None:
    client = signed_in(operator)
    get_breaker("veo").call(int)
    with connection.execute_wrapper(down):
        assert is_problem(client.get(url("veo", "transitions")), 503, "database_unavailable")
        assert is_problem(client.get(url("never heard of")), 503, "database_unavailable")
        assert client.get(url("veo")).json()["source"] == "shared"
        assert names(client.get(BASE)) == ["veo"]
        assert post(client, "veo", "open", reason="r").json()["override"] == "forced_open"


def test_a_circuit_without_a_past_has_an_empty_one(api: APIClient) -> None:
    get_breaker("calm").call(int)
    assert api.get(url("calm", "transitions")).json()["results"] == []


@pytest.mark.parametrize("cursor", ["x", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5", "!"])
def test_a_page_that_never_was_is_refused(api: APIClient, cursor: str) -> None:
    response = api.get(f"{url('a', 'transitions')}?cursor={cursor}")
    assert is_problem(response, 400, "invalid")


def test_a_command_is_on_record_though_its_request_fails(
    history: None, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(operator)
    get_breaker("veo").call(int)
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    post(client, "veo", "open", reason="r")
    assert is_problem(post(client, "veo", "auto", reason="r", expected_epoch=1), 409, "stale_epoch")
    assert BreakerTransition.objects.get().actor == "operator"


def configure(client: APIClient, name: str, **options: Any) -> Any:
    return client.patch(url(name, "config"), options, format="json")


def conditional(client: APIClient, name: str, tag: str, **options: Any) -> Any:
    return client.patch(url(name, "config"), options, format="json", HTTP_IF_MATCH=tag)


def commanded(client: APIClient, name: str, tag: str, verb: str) -> Any:
    return client.post(url(name, verb), {"reason": "r"}, format="json", HTTP_IF_MATCH=tag)


def test_a_command_is_obeyed_only_in_the_epoch_it_was_meant_for(operator_api: APIClient) -> None:
    get_breaker("a").call(int)
    seen = operator_api.get(url("a")).headers["ETag"]
    get_breaker("a").call(int)
    opened = commanded(operator_api, "a", seen, "open")
    assert opened.status_code == 200
    assert opened.headers["ETag"] == operator_api.get(url("a")).headers["ETag"] != seen
    assert is_problem(commanded(operator_api, "a", seen, "close"), 412, "precondition_failed")
    assert operator_api.get(url("a")).json()["override"] == "forced_open"
    assert commanded(operator_api, "a", opened.headers["ETag"], "close").status_code == 200


class TestConfig:
    @pytest.fixture
    def client(self, history: None, operator: User) -> APIClient:
        return signed_in(operator)

    def test_options_given_go_before_those_in_code_and_null_takes_them_back(
        self, client: APIClient
    ) -> None:
        get_breaker("veo", failure_threshold=7).call(int)
        response = configure(client, "veo", failure_threshold=3, failure_rate=0.5)
        assert response.status_code == 200
        row = response.json()
        assert row["configured"] == {"failure_threshold": 3, "failure_rate": 0.5}
        assert row["config"].items() >= row["configured"].items()
        assert get_breaker("veo").replica.policy.failure_threshold == 3
        more = configure(client, "veo", open_timeout=30, failure_rate=None).json()
        assert more["configured"] == {"failure_threshold": 3, "open_timeout": 30}
        assert client.get(url("veo")).json()["configured"] == more["configured"]
        assert BreakerConfig.objects.get().updated_by == "operator"
        back = configure(client, "veo", failure_threshold=None, open_timeout=None).json()
        assert (back["configured"], back["config"]["failure_threshold"]) == ({}, 7)
        assert not BreakerConfig.objects.exists()

    def test_what_clashes_is_not_told_as_given(self, client: APIClient) -> None:
        get_breaker("veo", open_timeout=60).call(int)
        BreakerConfig.objects.create(pattern="v*", options={"max_open_timeout": 10})
        row = configure(client, "veo", window=30).json()
        assert row["configured"] == {"window": 30}
        assert (row["config"]["max_open_timeout"], row["config"]["window"]) == (None, 30)

    def test_no_options_change_nothing(self, client: APIClient) -> None:
        get_breaker("veo").call(int)
        assert configure(client, "veo").json()["configured"] == {}
        assert BreakerConfig.objects.count() == 0

    def test_callers_go_by_them_at_once(self, client: APIClient) -> None:
        breaker = get_breaker("veo")
        breaker.call(int)
        configure(client, "veo", failure_threshold=1)
        with pytest.raises(Down):
            breaker.call(fail)
        assert breaker.state == "open"

    @pytest.mark.parametrize(
        ("options", "field"),
        [
            ({"failure_threshold": 0}, "failure_threshold"),
            ({"failure_threshold": -1}, "failure_threshold"),
            ({"failure_threshold": 1.5}, "failure_threshold"),
            ({"failure_threshold": "5"}, "failure_threshold"),
            ({"failure_threshold": True}, "failure_threshold"),
            ({"failure_threshold": 10**19}, "failure_threshold"),
            ({"failure_rate": 1.5}, "failure_rate"),
            ({"failure_rate": 0}, "failure_rate"),
            ({"window": 0}, "window"),
            ({"window": 10**19}, "window"),
            ({"open_timeout": "60"}, "open_timeout"),
            ({"open_timeout": []}, "open_timeout"),
            ({"consecutive": 1}, "consecutive"),
            ({"on_store_error": "panic"}, "on_store_error"),
            ({"on_store_error": {}}, "on_store_error"),
            ({"jitter": -0.1}, "jitter"),
            ({"fallback": "os.system"}, "fallback"),
            ({"ignore": ["ValueError"]}, "ignore"),
            ({"pattern": "*"}, "pattern"),
            ({"enabled": False}, "enabled"),
            ({"failure_threshold": 3, "windwo": 5}, "windwo"),
        ],
    )
    def test_what_makes_no_sense_is_refused_and_named(
        self, client: APIClient, options: dict[str, Any], field: str
    ) -> None:
        get_breaker("veo").call(int)
        response = configure(client, "veo", **options)
        assert is_problem(response, 400, "invalid")
        assert fields(response) == [field]
        assert BreakerConfig.objects.count() == 0

    @pytest.mark.parametrize(
        "options",
        [
            {"max_open_timeout": 5, "open_timeout": 10},
            {"max_open_timeout": 5},  # the code says 60
            {"consecutive": True, "failure_rate": 0.5},
        ],
        ids=str,
    )
    def test_what_contradicts_itself_or_the_code_is_refused_whole(
        self, client: APIClient, options: dict[str, Any]
    ) -> None:
        get_breaker("veo").call(int)
        assert is_problem(configure(client, "veo", window=30, **options), 400, "invalid")
        assert BreakerConfig.objects.count() == 0
        assert client.get(url("veo")).json()["configured"] == {}

    def test_options_are_changed_only_if_nobody_changed_them_since(self, client: APIClient) -> None:
        get_breaker("veo").call(int)
        seen = client.get(url("veo")).headers["ETag"]
        open_circuit("veo")
        changed = conditional(client, "veo", seen, window=30)
        assert (changed.status_code, changed.json()["configured"]) == (200, {"window": 30})
        assert changed.headers["ETag"] == client.get(url("veo")).headers["ETag"] != seen
        late = conditional(client, "veo", seen, window=40)
        assert is_problem(late, 412, "precondition_failed")
        assert is_problem(conditional(client, "veo", seen), 412, "precondition_failed")
        assert list(BreakerConfig.objects.values_list("options")) == [({"window": 30},)]
        back = conditional(client, "veo", f'"x", {changed.headers["ETag"]}', window=None)
        assert (back.status_code, back.json()["configured"]) == (200, {})
        # What was taken back is as it was before.
        assert conditional(client, "veo", seen, window=50).status_code == 200

    @pytest.mark.parametrize("tag", ["", "x", '"x"', '"0-"', "W/{}", '"0-0000000000000000"'])
    def test_what_is_no_tag_of_it_matches_nothing(self, client: APIClient, tag: str) -> None:
        get_breaker("veo").call(int)
        wrong = tag.format(client.get(url("veo")).headers["ETag"])
        for answer in (
            conditional(client, "veo", wrong, window=30),
            commanded(client, "veo", "W/" + wrong, "open"),
        ):
            assert is_problem(answer, 412, "precondition_failed")
        assert BreakerConfig.objects.count() == 0
        assert client.get(url("veo")).json()["override"] is None

    def test_any_tag_matches_what_is_there(self, client: APIClient) -> None:
        get_breaker("veo").call(int)
        assert conditional(client, "veo", "*", window=30).status_code == 200
        assert commanded(client, "veo", "*", "open").status_code == 200
        assert is_problem(conditional(client, "sora", "*", window=30), 404, "not_found")

    def test_of_two_that_found_the_same_one_changes_it(self, client: APIClient) -> None:
        get_breaker("veo").call(int)
        seen = client.get(url("veo")).headers["ETag"]
        together = threading.Barrier(4)

        def change(window: int) -> int:
            together.wait(30)
            try:
                return int(conditional(client, "veo", seen, window=window).status_code)
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            statuses = list(pool.map(change, (10, 20, 30, 40)))
        assert sorted(statuses) == [200, 412, 412, 412]

    def test_only_a_circuit_somebody_has_heard_of_can_be_configured(
        self, client: APIClient
    ) -> None:
        for name in ("unheard of", "x" * 201):
            assert is_problem(configure(client, name, window=30), 404, "not_found")
        assert BreakerConfig.objects.count() == 0

    @pytest.mark.parametrize("name", ["*", "[a]", "a?", "a[", "config", "a/config"])
    def test_a_name_like_a_pattern_is_taken_as_it_is(self, client: APIClient, name: str) -> None:
        for one in (name, "ab", "a"):
            get_breaker(one).call(int)
        assert configure(client, name, window=30).json()["configured"] == {"window": 30}
        for other in ("ab", "a"):
            assert client.get(url(other)).json()["configured"] == {}

    def test_a_reader_may_not(self, client: APIClient, user: User) -> None:
        get_breaker("veo").call(int)
        assert is_problem(configure(signed_in(user), "veo", window=5), 403, "permission_denied")
        assert is_problem(configure(APIClient(), "veo", window=5), 401, "not_authenticated")

    def test_it_needs_no_store(self, client: APIClient, own_store: Valkey) -> None:
        get_breaker("veo").call(int)
        own_store.stop()
        assert configure(client, "veo", window=30).json()["config"]["window"] == 30


class TestWithoutAStore:
    def test_nothing_is_done_and_said_so(self, operator_api: APIClient, own_store: Valkey) -> None:
        get_breaker("veo").call(int)
        own_store.stop()
        for verb in ("open", "close", "disable", "metrics-only", "auto", "reset"):
            response = post(operator_api, "veo", verb, reason="r")
            assert is_problem(response, 503, "breaker_unavailable")
            assert response.headers["Retry-After"] == "1"
        row = operator_api.get(url("veo")).json()
        assert (row["epoch"], row["override"], row["source"]) == (0, None, "local")
        own_store.restart()
        assert link.shared().load("veo", Policy()).epoch == 0

    def test_a_name_this_process_does_not_know_may_exist(
        self, operator_api: APIClient, own_store: Valkey
    ) -> None:
        own_store.stop()
        assert is_problem(operator_api.get(url("theirs")), 503, "breaker_unavailable")
        response = post(operator_api, "theirs", "open", reason="r")
        assert is_problem(response, 503, "breaker_unavailable")

    def test_a_list_is_of_this_process(self, api: APIClient, own_store: Valkey) -> None:
        get_breaker("veo").call(int)
        own_store.stop()
        (row,) = api.get(BASE).json()["results"]
        assert (row["name"], row["source"]) == ("veo", "local")

    def test_a_silent_store_may_yet_obey(
        self, operator_api: APIClient, hasty_store: Valkey
    ) -> None:
        get_breaker("veo").call(int)
        hasty_store.pause()
        response = post(operator_api, "veo", "open", reason="r")
        assert is_problem(response, 503, "breaker_unavailable")
        assert "may yet do" in response.json()["detail"]


def test_a_key_that_others_use_is_told_and_spares_the_rest(operator_api: APIClient) -> None:
    for name in ("good", "taken"):
        get_breaker(name).call(int)
    agent.flush()
    key = "cb:{breaker}:circuit:taken"
    client = get_redis_connection("breaker")
    client.delete(key)
    client.rpush(key, "something else")
    refused = post(operator_api, "taken", "open", reason="r")
    assert is_problem(refused, 409, "circuit_key_misused")
    assert "something else" in refused.json()["detail"]
    sources = [(row["name"], row["source"]) for row in operator_api.get(BASE).json()["results"]]
    assert sources == [("good", "shared"), ("taken", "local")]
    assert operator_api.get(url("taken")).json()["source"] == "local"
    assert post(operator_api, "good", "open", reason="r").status_code == 200
    assert client.lrange(key, 0, -1) == [b"something else"]
