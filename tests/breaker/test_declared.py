"""What stands in code is known to processes that have other code."""

import json
import os
import subprocess
import sys
import time
from io import StringIO
from typing import Any

import pytest
import redis
from django.conf import settings as project
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django_redis import get_redis_connection
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from breaker import CircuitOpenError, catalogue, circuit_breaker, configs, control, get_breaker
from breaker.agent import agent
from breaker.catalogue import Declaration
from breaker.circuit import Verb
from breaker.errors import BreakerUnavailable, CircuitUnknown, ConfigInvalid
from breaker.link import link
from breaker.policy import Policy
from breaker.registry import keyed_breaker
from breaker.window import Tally
from tests.breaker.test_outages import eventually
from tests.servers import Valkey

BASE = "/api/v1/breakers"
OPTIONS, NAMES = "cb:{breaker}:options", "cb:{breaker}:declared"


@pytest.fixture
def server() -> "redis.Redis":
    """The database of the circuits."""
    return get_redis_connection("breaker")


def told(name: str, options: dict[str, Any] | None, *, standing: bool = True) -> None:
    """As another process tells of its code."""
    link.shared().catalogue.tell([Declaration(name, options, standing)])


def threshold(name: str) -> int:
    return control.policy(name).failure_threshold


def listed() -> list[str]:
    return [one.name for one in control.circuits()]


def kept(server: "redis.Redis") -> dict[str, Any]:
    return {name.decode(): json.loads(text) for name, text in server.hgetall(OPTIONS).items()}


THEIRS = """
import django
django.setup()
from breaker import circuit_breaker, get_breaker
from breaker.agent import agent
circuit_breaker("theirs:idle", open_timeout=90, failure_threshold=7)(print)
get_breaker("theirs:busy", failure_threshold=3, ignore=(KeyError,)).call(int)
agent.flush()
"""


def test_the_code_of_another_process_is_told_through_every_door(
    operator: User, operator_api: APIClient, client: Client
) -> None:
    environ = {**os.environ, "PYTHONPATH": str(project.BASE_DIR)}
    subprocess.run([sys.executable, "-c", THEIRS], env=environ, check=True, timeout=60)
    rows = {row["name"]: row for row in operator_api.get(BASE).json()["results"]}
    assert [(row["state"], row["calls"], row["source"]) for row in rows.values()] == [
        ("closed", 1, "shared"), ("closed", 0, "shared"),
    ]  # fmt: skip
    assert rows["theirs:busy"]["config"]["failure_threshold"] == 3
    assert rows["theirs:idle"]["config"].items() >= {"open_timeout": 90, "window": 60.0}.items()
    one = operator_api.get(f"{BASE}/theirs:idle").json()
    assert one["config"] == rows["theirs:idle"]["config"]
    out = StringIO()
    call_command("breakers", "show", "theirs:idle", "--json", stdout=out)
    assert json.loads(out.getvalue())["config"] == one["config"]
    client.force_login(operator)
    page = client.get("/admin/breaker/breakerstate/circuit/", {"name": "theirs:idle"})
    assert dict(page.context["options"])["failure_threshold"] == 7
    for given, status in (({"max_open_timeout": 80}, 400), ({"max_open_timeout": 95}, 200)):
        url = f"{BASE}/theirs:idle/config"
        assert operator_api.patch(url, given, format="json").status_code == status


class TestWhoSaysWhat:
    def test_code_of_this_process_goes_first(self) -> None:
        told("d:first", {"failure_threshold": 2})
        assert threshold("d:first") == 2
        get_breaker("d:first", failure_threshold=3)
        assert threshold("d:first") == 3

    def test_who_only_asks_for_a_circuit_says_nothing_of_its_options(self) -> None:
        told("d:asked", {"failure_threshold": 2})
        get_breaker("d:asked").call(int)
        agent.flush()
        assert link.shared().catalogue.options(["d:asked"]) == [{"failure_threshold": 2}]
        assert threshold("d:asked") == 2

    def test_a_decorator_without_options_says_that_there_are_none(self) -> None:
        told("d:plain", {"failure_threshold": 2})
        circuit_breaker("d:plain")(print)
        assert threshold("d:plain") == 5
        agent.flush()
        assert link.shared().catalogue.options(["d:plain"]) == [{}]

    def test_configuration_goes_before_the_code_of_others_too(
        self, transactional_db: None, settings: Settings
    ) -> None:
        settings.BREAKER = {**settings.BREAKER, "HISTORY": True}
        told("d:configured", {"failure_threshold": 2, "window": 7})
        configs.save("d:conf*", {"failure_threshold": 9}, actor="ada")
        control.circuit("d:configured")
        assert control.policy("d:configured") == Policy(failure_threshold=9, window=7)
        with pytest.raises(ConfigInvalid, match="'d:patient' could not work with this"):
            told("d:patient", {"open_timeout": 90})
            configs.save("d:pat*", {"max_open_timeout": 80}, actor="ada")
        assert agent.flush(30)

    @pytest.mark.parametrize(
        "text", ["", "[1]", "{", "7", '{"window": 0}', '{"consecutive": true, "failure_rate": 1}']
    )
    def test_what_makes_no_sense_here_is_as_if_nobody_had_said_it(
        self, server: "redis.Redis", text: str
    ) -> None:
        told("d:odd", {})
        server.hset(OPTIONS, "d:odd", text)
        assert control.policy("d:odd") == Policy()

    def test_what_another_release_knows_is_left_out(self, server: "redis.Redis") -> None:
        told("d:newer", {})
        server.hset(OPTIONS, "d:newer", '{"failure_threshold": 2, "moon_phase": "full"}')
        assert control.policy("d:newer") == Policy(failure_threshold=2)


class TestTelling:
    def test_options_that_change_are_told_again(self, server: "redis.Redis") -> None:
        get_breaker("d:changing", failure_threshold=2).call(int)
        agent.flush()
        get_breaker("d:changing", failure_threshold=4)
        eventually(lambda: kept(server)["d:changing"] == {"failure_threshold": 4}, seconds=30)

    def test_a_store_that_lost_its_data_is_told_again(self, server: "redis.Redis") -> None:
        get_breaker("d:lost", failure_threshold=2)
        get_breaker("d:other").call(int)
        agent.flush()
        server.flushall()
        eventually(lambda: kept(server).get("d:lost") == {"failure_threshold": 2}, seconds=30)
        assert server.zscore(NAMES, "d:other")

    def test_a_circuit_that_the_store_forgot_is_told_again(self, server: "redis.Redis") -> None:
        breaker = keyed_breaker("per:call", {"failure_threshold": 2}, overflow="per:__other__")
        breaker.call(int)
        agent.flush()
        server.delete("cb:{breaker}:circuit:per:call")

        def forgotten() -> bool:
            link.shared().catalogue.tidy()
            return not kept(server)

        eventually(forgotten, seconds=30)  # the agent may have been about to tell
        breaker.call(int)
        agent.flush()
        assert kept(server) == {"per:call": {"failure_threshold": 2}}

    def test_what_is_told_is_not_told_again(self, server: "redis.Redis") -> None:
        for number in range(20):
            get_breaker(f"d:once:{number}", failure_threshold=2).call(int)
        agent.flush()
        server.config_resetstat()
        agent.flush()
        stats = server.info("commandstats")
        assert {"cmdstat_evalsha", "cmdstat_hset", "cmdstat_zadd"}.isdisjoint(stats)

    def test_a_store_out_of_reach_is_told_when_it_is_back(self, own_store: Valkey) -> None:
        get_breaker("d:before").call(int)
        own_store.stop()
        eventually(lambda: not link.up, seconds=30)
        get_breaker("d:meanwhile", failure_threshold=2)
        own_store.restart()
        eventually(lambda: link.up and link.shared().catalogue.has("d:meanwhile"), seconds=30)

    def test_a_key_of_another_kind_disturbs_nobody(
        self, server: "redis.Redis", caplog: pytest.LogCaptureFixture
    ) -> None:
        for key in (OPTIONS, NAMES):
            server.set(key, "something else")
        get_breaker("d:undisturbed", failure_threshold=2).call(int)
        agent.flush()
        time.sleep(1.2)  # a poll
        agent.flush()
        assert caplog.text.count("Others cannot know") == 1
        assert listed() == ["d:undisturbed"]
        assert control.policy("d:theirs") == Policy()
        with pytest.raises(CircuitUnknown):
            control.circuit("d:theirs")
        server.delete("cb:{breaker}:circuit:d:undisturbed")
        link.shared().catalogue.tidy()
        assert link.up
        assert link.shared().catalogue.names() == []
        assert server.get(OPTIONS) == server.get(NAMES) == b"something else"


class TestForgetting:
    def test_names_in_code_stay_and_names_made_per_call_go_with_their_circuit(
        self, server: "redis.Redis"
    ) -> None:
        told("d:standing", {"window": 5})
        told("d:passing", {"window": 5}, standing=False)
        told("d:called", {"window": 5}, standing=False)
        link.shared().record("d:called", Policy(), Tally(ok=1), epoch=0)
        link.shared().catalogue.tidy()
        assert set(kept(server)) == {"d:standing", "d:called"}
        assert listed() == ["d:called", "d:standing"]

    def test_a_name_goes_days_after_the_last_process_that_had_it(
        self, server: "redis.Redis"
    ) -> None:
        told("d:removed", {"window": 5})
        (_, at), *_ = server.zrange(NAMES, 0, -1, withscores=True)
        server.zadd(NAMES, {"d:removed": at - catalogue.KEPT + 60})
        link.shared().catalogue.tidy()
        assert listed() == ["d:removed"]
        server.zadd(NAMES, {"d:removed": at - catalogue.KEPT - 60})
        link.shared().catalogue.tidy()
        assert (kept(server), listed()) == ({}, [])

    def test_there_is_a_limit(self, server: "redis.Redis", monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(catalogue, "MOST", 3)
        monkeypatch.setattr(catalogue, "AT_ONCE", 2)
        link.shared().catalogue.tell(
            [Declaration(f"n{number}", {"window": 5}, True) for number in range(9)]
        )
        assert server.zcard(NAMES) == 3
        assert 3 <= server.hlen(OPTIONS) <= 4
        link.shared().catalogue.tell([Declaration("n0", {"window": 6}, False)])
        assert kept(server)["n0"] == {"window": 6}

    @pytest.mark.parametrize("key", ["names", "declared"])
    def test_what_no_circuit_is_called_is_passed_over_and_dropped(
        self, server: "redis.Redis", key: str
    ) -> None:
        told("d:sound", {})
        for odd in (b"\xff\xfe", b"two\nlines", b"x" * 201, b""):
            server.zadd(f"cb:{{breaker}}:{key}", {odd: 1})
        assert listed() == ["d:sound"]
        assert [one.name for one in control.page().rows] == ["d:sound"]
        link.shared().catalogue.tidy()
        assert server.zcard("cb:{breaker}:names") == 0
        assert server.zrange(NAMES, 0, -1) == [b"d:sound"]


def test_a_page_asks_about_the_code_of_others_once(api: APIClient, server: "redis.Redis") -> None:
    for number in range(30):
        told(f"many:{number}", {"window": 5})
    server.config_resetstat()
    rows = api.get(BASE).json()["results"]
    assert {row["config"]["window"] for row in rows} == {5}
    assert server.info("commandstats")["cmdstat_hmget"]["calls"] < 5


class TestCommandsAheadOfTheFirstCall:
    def test_a_circuit_in_code_is_commanded_before_it_is_called(
        self, operator_api: APIClient
    ) -> None:
        told("d:ahead", {"open_timeout": 5})
        body = {"reason": "not yet"}
        row = operator_api.post(f"{BASE}/d:ahead/open", body, format="json").json()
        assert (row["override"], row["reason"]) == ("forced_open", "not yet")
        with pytest.raises(CircuitOpenError):
            get_breaker("d:ahead").call(int)

    def test_so_is_one_that_has_been_idle_for_long(self, server: "redis.Redis") -> None:
        circuit_breaker("d:dozing", window=5)(lambda: None)()
        agent.flush()
        server.delete("cb:{breaker}:circuit:d:dozing")
        agent.forget()
        link.shared().catalogue.tidy()
        assert listed() == ["d:dozing"]
        done = control.act("d:dozing", Verb.DISABLE, actor="ada", reason="r")
        assert done.word == "disabled"

    def test_a_name_that_nobody_declared_is_unknown_and_leaves_nothing(
        self, operator_api: APIClient, server: "redis.Redis"
    ) -> None:
        told("d:known", {})
        before = set(server.keys("cb:*"))
        for name in ("d:unknown", "d:know", "d:known2", "d:" + "x" * 198):
            body = {"reason": "r"}
            done = operator_api.post(f"{BASE}/{name}/open", body, format="json")
            assert done.status_code == 404
        assert set(server.keys("cb:*")) == before
        assert listed() == ["d:known"]

    def test_what_an_operator_opened_lasts_as_long_as_its_own_options_want(
        self, server: "redis.Redis"
    ) -> None:
        told("d:long", {"open_timeout": 86_400})
        for verb in (Verb.OPEN, Verb.AUTO):
            control.act("d:long", verb, actor="ada", reason="r")
        assert server.ttl("cb:{breaker}:circuit:d:long") > 86_400


class TestWithoutTheStore:
    """A process that calls no circuits knows nothing, and must not show that as nothing."""

    @pytest.fixture(autouse=True)
    def down(self, own_store: Valkey) -> None:
        circuit_breaker("in code, not called")(print)
        own_store.stop()

    def test_http_answers_that_it_cannot_know(self, api: APIClient) -> None:
        response = api.get(BASE)
        assert (response.status_code, response.json()["code"]) == (503, "breaker_unavailable")
        assert response.headers["Retry-After"] == "1"

    def test_the_command_fails(self, db: None) -> None:
        with pytest.raises(CommandError) as failure:
            call_command("breakers", "list", stdout=StringIO())
        assert failure.value.returncode == 2
        assert "does not answer" in str(failure.value)

    def test_the_admin_says_so(self, operator: User, client: Client) -> None:
        client.force_login(operator)
        page = client.get("/admin/breaker/breakerstate/").content.decode()
        assert "does not answer" in page
        assert "Nobody can tell" in page
        assert "No circuit is in use yet" not in page

    def test_who_calls_circuits_tells_of_those(self, api: APIClient) -> None:
        get_breaker("d:mine").call(int)
        (row,) = api.get(BASE).json()["results"]
        assert (row["name"], row["source"]) == ("d:mine", "local")
        assert api.get(f"{BASE}?state=open").json()["results"] == []

    def test_options_are_those_known_here(self) -> None:
        get_breaker("known here", failure_threshold=3)
        assert (threshold("known here"), threshold("d:theirs")) == (3, 5)
        with pytest.raises(BreakerUnavailable):
            control.page()
        assert control.circuits() == []
