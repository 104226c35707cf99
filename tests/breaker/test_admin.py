"""Circuits in the admin."""

import os
from collections.abc import Iterator
from socket import gethostname
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from breaker import configs, control, get_breaker
from breaker.agent import agent
from breaker.circuit import Verb
from breaker.control import act
from breaker.forms import MEANING, OPTIONS
from breaker.models import BreakerConfig, BreakerState, BreakerTransition
from tests.breaker.test_guard import open_circuit
from tests.servers import Valkey

LIST = "/admin/breaker/breakerstate/"
CIRCUIT = "/admin/breaker/breakerstate/circuit/"
TRANSITIONS = "/admin/breaker/breakertransition/"
HOSTILE = "<b>a&b</b> ?name=x/é#1"


@pytest.fixture
def history(transactional_db: None, settings: Settings) -> Iterator[None]:
    settings.BREAKER = {**settings.BREAKER, "HISTORY": True}
    yield
    assert agent.flush(30)


@pytest.fixture
def pages(operator: User, client: Client) -> Client:
    client.force_login(operator)
    return client


@pytest.fixture
def reader(db: None) -> User:
    user = User.objects.create_user("bob", password="correct horse battery", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_breakerstate"))
    return user


def order(name: str, **fields: Any) -> dict[str, Any]:
    epoch = control.circuit(name).epoch
    return {"epoch": epoch, "verb": "open", "reason": "maintenance", "lasting": ""} | fields


def say(pages: Client, name: str, **fields: Any) -> str:
    url = f"{CIRCUIT}?name={name}"
    return pages.post(url, order(name, **fields), follow=True).content.decode()


def test_the_list_is_what_the_store_says_those_not_closed_first(pages: Client) -> None:
    get_breaker("a-calm").call(int)
    open_circuit("veo")
    page = pages.get(LIST).content.decode()
    assert '<span class="breaker-badge breaker-open">open</span>' in page
    assert page.index("veo") < page.index("a-calm")
    assert "threshold_reached" in page
    assert "breaker/admin.css" in page
    assert "style=" not in page
    assert "<script>" not in page


def test_a_list_is_searched_and_narrowed(pages: Client) -> None:
    for name in ("imagen:1", "imagen:2", "veo:1"):
        get_breaker(name).call(int)
    act("imagen:2", Verb.DISABLE, actor="ada", reason="r")
    shown = [one.name for one in pages.get(LIST, {"q": "imagen"}).context["page"]]
    assert shown == ["imagen:2", "imagen:1"]
    response = pages.get(LIST, {"q": "imagen", "state": "disabled"})
    assert [one.name for one in response.context["page"]] == ["imagen:2"]
    assert response.context["counts"] == [("closed", 1), ("disabled", 1)]
    assert b"No circuit is like that." in pages.get(LIST, {"q": "\0", "state": "x"}).content


def test_an_empty_list_says_so(pages: Client) -> None:
    assert b"No circuit is in use yet." in pages.get(LIST).content


def test_a_long_list_has_pages(pages: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("breaker.admin.circuits.PAGE", 2)
    for name in ("a", "b", "c"):
        get_breaker(name).call(int)
    assert b"p=2" in pages.get(LIST).content
    assert [one.name for one in pages.get(LIST, {"p": 2}).context["page"]] == ["c"]
    assert [one.name for one in pages.get(LIST, {"p": "x"}).context["page"]] == ["a", "b"]


def test_any_name_is_shown_and_linked_as_text(pages: Client) -> None:
    get_breaker(HOSTILE).call(int)
    page = pages.get(LIST).content.decode()
    assert "&lt;b&gt;a&amp;b" in page
    assert "<b>a" not in page
    link = page.split(f'href="{CIRCUIT}')[1].split('"')[0]
    shown = pages.get(CIRCUIT + link)
    assert shown.context["circuit"].name == HOSTILE
    assert "<b>a" not in shown.content.decode()


def test_one_circuit_is_shown_with_its_past_and_its_options(
    history: None, operator: User, client: Client
) -> None:
    client.force_login(operator)
    open_circuit("veo", open_timeout=90)
    act("veo", Verb.OPEN, actor="ada", reason="they mend it", expires_in=600)
    agent.flush()
    page = client.get(CIRCUIT, {"name": "veo"}).content.decode()
    for part in (
        "breaker-forced_open", "ends in 10m", "they mend it (ada)", "1 failed (100%)",
        "Down: out of order", "threshold_reached", "1 failed", "open_timeout", "90",
    ):  # fmt: skip
        assert part in page
    assert "style=" not in page


def test_a_name_nobody_has_heard_of_leads_back_to_the_list(pages: Client) -> None:
    for name in ("nobodys", "", "x" * 201):
        response = pages.get(CIRCUIT, {"name": name}, follow=True)
        assert response.redirect_chain == [(LIST, 302)]
        assert b"There is no circuit" in response.content
    assert control.circuits() == []


@pytest.mark.parametrize("verb", [verb.value for verb in Verb])
def test_an_operator_says_what_a_circuit_is(pages: Client, verb: str) -> None:
    open_circuit("veo")
    page = say(pages, "veo", verb=verb)
    found = control.circuit("veo")
    assert (found.reason, found.actor) == ("maintenance", "operator")
    assert f"is {found.word.replace('_', ' ')} now." in page


def test_an_override_may_end_by_itself(pages: Client) -> None:
    get_breaker("veo").call(int)
    say(pages, "veo", lasting="10m")
    assert 590 < (control.circuit("veo").override_ends_in or 0) <= 600


def test_what_was_said_is_on_record_and_among_recent_actions(
    history: None, operator: User, client: Client
) -> None:
    client.force_login(operator)
    get_breaker("veo").call(int)
    say(client, "veo")
    record = BreakerTransition.objects.get()
    assert (record.actor, record.reason) == ("operator", "maintenance")
    assert LogEntry.objects.get().object_id == str(record.pk)


def test_a_click_on_an_old_page_does_nothing(pages: Client) -> None:
    open_circuit("veo")
    seen = order("veo", verb="reset")
    say(pages, "veo", verb="disable")
    done = pages.post(f"{CIRCUIT}?name=veo", seen, follow=True)
    assert "has moved on" in done.content.decode()
    assert control.circuit("veo").word == "disabled"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"verb": ""}, "verb"),
        ({"verb": "explode"}, "verb"),
        ({"reason": ""}, "reason"),
        ({"reason": "  "}, "reason"),
        ({"reason": "x" * 301}, "reason"),
        ({"reason": "two\nlines"}, "reason"),
        ({"reason": "a\0"}, "reason"),
        ({"lasting": "soon"}, "lasting"),
        ({"lasting": "0"}, "lasting"),
        ({"lasting": "0.5s"}, "lasting"),
        ({"lasting": "31d"}, "lasting"),
        ({"lasting": "-1s"}, "lasting"),
        ({"lasting": "10m", "verb": "close"}, "lasting"),
        ({"epoch": ""}, "epoch"),
        ({"epoch": "x"}, "epoch"),
        ({"epoch": "-1"}, "epoch"),
        ({"epoch": "9" * 5000}, "epoch"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field(
    pages: Client, fields: dict[str, Any], field: str
) -> None:
    get_breaker("veo").call(int)
    response = pages.post(f"{CIRCUIT}?name=veo", order("veo", **fields))
    assert response.status_code == 200
    assert list(response.context["form"].errors) == [field]
    assert 'class="error' in response.content.decode()
    assert control.circuit("veo").epoch == 0


def test_the_actor_is_who_is_signed_in(pages: Client) -> None:
    get_breaker("veo").call(int)
    say(pages, "veo", actor="somebody else")
    assert control.circuit("veo").actor == "operator"


def test_who_may_only_look_can_say_nothing(reader: User, client: Client) -> None:
    client.force_login(reader)
    get_breaker("veo").call(int)
    page = client.get(CIRCUIT, {"name": "veo"}).content.decode()
    assert "In the window" in page
    assert "Do it" not in page
    assert client.post(f"{CIRCUIT}?name=veo", order("veo")).status_code == 403
    assert control.circuit("veo").epoch == 0


def test_who_may_not_look_is_shown_nothing(reader: User, client: Client) -> None:
    reader.user_permissions.clear()
    client.force_login(reader)
    get_breaker("veo").call(int)
    for url in (LIST, f"{CIRCUIT}?name=veo", TRANSITIONS):
        assert client.get(url).status_code == 403


def test_who_may_command_may_look(reader: User, client: Client) -> None:
    reader.user_permissions.set([Permission.objects.get(codename="command")])
    client.force_login(reader)
    get_breaker("veo").call(int)
    assert client.get(LIST).status_code == 200
    assert "is forced open now" in say(client, "veo")


def test_who_may_command_and_not_look_is_told_no_errors_and_no_names(
    history: None, operator: User, client: Client
) -> None:
    open_circuit("veo")
    act("veo", Verb.OPEN, actor="root@db-3", reason="card data at ACME")
    assert agent.flush(30)
    row = BreakerState.objects.get()
    process = f"{gethostname()}:{os.getpid()}"
    secrets = ("root@db-3", "ACME", "out of order", process)
    pages = (LIST, f"{CIRCUIT}?name=veo", f"{LIST}{row.pk}/change/", f"{LIST}{row.pk}/history/")
    staff = User.objects.create_user("bob", password="correct horse battery", is_staff=True)
    staff.user_permissions.set([Permission.objects.get(codename="command")])
    client.force_login(staff)
    shown = [client.get(page) for page in pages]
    assert [response.status_code for response in shown] == [200, 200, 403, 403]
    text = "".join(response.content.decode() for response in shown)
    assert not [secret for secret in secrets if secret in text]
    assert "threshold_reached" in text
    client.force_login(operator)
    text = "".join(client.get(page).content.decode() for page in pages)
    assert [secret for secret in secrets if secret in text] == list(secrets)


def test_a_store_that_is_down_is_said_to_be(pages: Client, own_store: Valkey) -> None:
    get_breaker("veo").call(int)
    own_store.stop()
    page = pages.get(LIST).content.decode()
    assert "does not answer" in page
    assert "veo" in page
    assert "what one process sees" in pages.get(CIRCUIT, {"name": "veo"}).content.decode()
    assert "nothing was done" in say(pages, "veo")
    theirs = pages.get(CIRCUIT, {"name": "theirs"})
    assert (theirs.status_code, b"does not answer" in theirs.content) == (503, True)


def test_records_can_be_read_and_not_changed(history: None, operator: User, client: Client) -> None:
    client.force_login(operator)
    open_circuit("veo")
    act("veo", Verb.OPEN, actor="ada", reason="they mend it")
    open_circuit("imagen")
    agent.flush()
    page = client.get(TRANSITIONS, {"name": "veo"}).content.decode()
    assert "they mend it" in page
    assert "imagen" not in page
    assert 'breaker-badge breaker-forced_open">forced open' in page
    row = BreakerTransition.objects.get(name="imagen")
    assert client.get(f"{TRANSITIONS}{row.pk}/change/").status_code == 200
    assert client.get(f"{LIST}{row.pk}/change/").status_code in (200, 302)
    for action in ("add/", f"{row.pk}/delete/"):
        assert client.post(f"{TRANSITIONS}{action}").status_code == 403
        assert client.post(f"{LIST}{action}").status_code in (302, 403)


CONFIGS = "/admin/breaker/breakerconfig/"


def filled(**options: object) -> dict[str, object]:
    return {"pattern": "veo:*", "enabled": "on"} | options


class TestConfigs:
    @pytest.fixture
    def pages(self, history: None, operator: User, client: Client) -> Client:
        client.force_login(operator)
        return client

    def test_options_are_given_changed_and_taken_back(self, pages: Client) -> None:
        get_breaker("veo:1").call(int)
        given = filled(failure_threshold=3, open_timeout="0.5", consecutive="true")
        done = pages.post(f"{CONFIGS}add/", given, follow=True)
        row = BreakerConfig.objects.get()
        assert row.options == {"failure_threshold": 3, "open_timeout": 0.5, "consecutive": True}
        assert (row.pattern, row.version, row.updated_by) == ("veo:*", 1, "operator")
        assert "was added successfully" in done.content.decode()
        assert "No circuit has a name like" not in done.content.decode()
        assert "failure_threshold=3" in done.content.decode()
        assert control.circuit("veo:1")
        assert get_breaker("veo:1").replica.policy.failure_threshold == 3
        page = pages.get(f"{CONFIGS}{row.pk}/change/").content.decode()
        assert 'value="0.5"' in page
        pages.post(f"{CONFIGS}{row.pk}/change/", {"failure_threshold": 4, "consecutive": "false"})
        row.refresh_from_db()
        assert row.options == {"failure_threshold": 4, "consecutive": False}
        assert (row.enabled, row.version) == (False, 2)
        control.circuit("veo:1")
        assert get_breaker("veo:1").replica.policy.failure_threshold == 5
        pages.post(f"{CONFIGS}{row.pk}/delete/", {"post": "yes"})
        assert BreakerConfig.objects.count() == 0

    def test_nothing_is_configured_without_an_option(self, pages: Client) -> None:
        for url in ("add/", None):
            if url is None:
                row = configs.save("veo:*", {"window": 30}, actor="ada")
                url = f"{row.pk}/change/"
            response = pages.post(f"{CONFIGS}{url}", filled())
            assert "Give it an option" in response.content.decode()
        assert BreakerConfig.objects.get().options == {"window": 30}

    @pytest.mark.parametrize("options", [[1, 2], "x", {"bogus": 1, "jitter": 0.5}], ids=str)
    def test_a_row_that_nobody_checked_can_be_mended_and_removed(
        self, pages: Client, options: Any
    ) -> None:
        row = BreakerConfig.objects.create(pattern="veo:*", options=options)
        for url in ("", f"{row.pk}/change/", f"{row.pk}/delete/"):
            assert pages.get(CONFIGS + url).status_code == 200
        done = pages.post(f"{CONFIGS}{row.pk}/change/", {"enabled": "on", "open_timeout": "30"})
        assert done.status_code == 302
        row.refresh_from_db()
        assert row.options == {"open_timeout": 30}
        BreakerConfig.objects.update(options=options)
        pages.post(f"{CONFIGS}{row.pk}/delete/", {"post": "yes"})
        assert BreakerConfig.objects.count() == 0

    def test_a_clash_that_came_up_meanwhile_is_told_on_the_page(self, pages: Client) -> None:
        def meanwhile(execute: Any, sql: str, *args: Any) -> Any:
            if sql.startswith("INSERT") and "breakerconfig" in sql:
                get_breaker("veo:1", open_timeout=300)
            return execute(sql, *args)

        with connection.execute_wrapper(meanwhile):
            given = filled(max_open_timeout=200)
            done = pages.post(f"{CONFIGS}add/", given, follow=True)
        assert done.redirect_chain
        assert "could not work with this" in done.content.decode()
        assert BreakerConfig.objects.count() == 0

    def test_several_are_deleted_at_once(self, pages: Client) -> None:
        for pattern in ("a", "b"):
            configs.save(pattern, {"window": 30}, actor="ada")
        chosen = [str(row.pk) for row in BreakerConfig.objects.all()]
        order = {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}
        pages.post(CONFIGS, order)
        assert BreakerConfig.objects.count() == 0

    @pytest.mark.parametrize(
        ("fields", "wrong"),
        [
            ({"pattern": ""}, ["pattern"]),
            ({"pattern": "x" * 201}, ["pattern"]),
            ({"pattern": "a\0b"}, ["pattern"]),
            ({"failure_threshold": "0"}, ["failure_threshold"]),
            ({"failure_threshold": "-1"}, ["failure_threshold"]),
            ({"failure_threshold": "1.5"}, ["failure_threshold"]),
            ({"failure_threshold": "many"}, ["failure_threshold"]),
            ({"window": "nan"}, ["window"]),
            ({"window": "1e400"}, ["window"]),
            ({"failure_rate": "2", "jitter": "-1"}, ["failure_rate", "jitter"]),
            ({"on_store_error": "panic"}, ["on_store_error"]),
            ({"consecutive": "perhaps"}, ["consecutive"]),
            ({"pattern": "veo["}, ["__all__"]),
            ({"open_timeout": "10", "max_open_timeout": "5"}, ["__all__"]),
            ({"consecutive": "true", "failure_rate": "0.5"}, ["__all__"]),
        ],
        ids=str,
    )
    def test_what_cannot_work_is_refused_at_its_field(
        self, pages: Client, fields: dict[str, object], wrong: list[str]
    ) -> None:
        response = pages.post(f"{CONFIGS}add/", filled(**fields))
        assert response.status_code == 200
        assert sorted(response.context["adminform"].form.errors) == wrong
        assert BreakerConfig.objects.count() == 0

    def test_a_pattern_is_given_once(self, pages: Client) -> None:
        configs.save("veo:*", {"window": 30}, actor="ada")
        response = pages.post(f"{CONFIGS}add/", filled(window=5))
        assert list(response.context["adminform"].form.errors) == ["pattern"]
        assert BreakerConfig.objects.get().options == {"window": 30}

    def test_a_pattern_that_matches_nothing_is_kept_and_said_to(self, pages: Client) -> None:
        done = pages.post(f"{CONFIGS}add/", filled(window=30), follow=True)
        assert "No circuit has a name like “veo:*” yet." in done.content.decode()
        assert BreakerConfig.objects.count() == 1

    def test_a_circuit_leads_to_its_own_options(self, pages: Client) -> None:
        get_breaker("veo[1]").call(int)
        link = pages.get(CIRCUIT, {"name": "veo[1]"}).context["config"]
        assert 'value="veo[[]1[]]"' in pages.get(link).content.decode()
        control.configure("veo[1]", {"window": 30}, actor="ada")
        page = pages.get(CIRCUIT, {"name": "veo[1]"})
        assert page.context["configured"] == {"window": 30}
        assert "given at run time" in page.content.decode()
        row = BreakerConfig.objects.get()
        changed = pages.get(link, follow=True)
        assert changed.redirect_chain == [(f"{CONFIGS}{row.pk}/change/", 302)]
        assert pages.get(f"{CONFIGS}add/", {"pattern": "\0"}).status_code == 200

    def test_who_may_not_command_may_not_configure(
        self, history: None, reader: User, client: Client
    ) -> None:
        configs.save("veo:*", {"window": 30}, actor="ada")
        row = BreakerConfig.objects.get()
        reader.user_permissions.add(Permission.objects.get(codename="view_breakerconfig"))
        client.force_login(reader)
        assert client.get(CONFIGS).status_code == 200
        for pattern in ("veo:*", "other"):  # nor learn what is configured
            assert client.get(f"{CONFIGS}add/", {"pattern": pattern}).status_code == 403
        for url in ("add/", f"{row.pk}/change/", f"{row.pk}/delete/"):
            assert client.post(CONFIGS + url, filled(window=5)).status_code == 403
        row.refresh_from_db()
        assert row.options == {"window": 30}


def test_each_option_is_explained() -> None:
    assert list(MEANING) == OPTIONS
