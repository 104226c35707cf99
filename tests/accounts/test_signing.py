"""Signed requests over the API: what holds, what is refused, and how little is told about it."""

import json
import logging
import secrets
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import signals, signing_keys
from accounts.client import Signer
from accounts.models import AuthEvent, EventKind, KeyState, SigningKey, SpentNonce
from accounts.scopes import USUAL
from accounts.signing_keys import Issued
from config.redis import caches as caches_at
from tests.servers import Valkey

from . import foreign
from .conftest import Json
from .signed import signature
from .test_races import together

# Both need nothing but the database. The order is for a service that is none: 400 is let in.
LIST = "/api/v1/generations"
FILTERED = f"{LIST}?limit=5&service=imagen"
HOST = "http://testserver"


@dataclass(frozen=True)
class Sent:
    """A request as it goes over the wire."""

    method: str = "POST"
    target: str = LIST
    body: bytes = b'{"service": "none"}'
    headers: dict[str, str] = field(default_factory=dict)

    def signed(self, signer: Signer, **options: Any) -> "Sent":
        added = signer.sign(
            self.method, HOST + self.target, body=self.body, headers=self.headers, **options
        )
        return replace(self, headers=self.headers | added)

    def send(self, client: Client | None = None) -> Any:
        headers = dict(self.headers)
        kind = headers.pop("Content-Type", "application/json")
        return (client or Client()).generic(
            self.method, self.target, self.body, kind, headers=headers
        )


def read(target: str = LIST) -> Sent:
    return Sent("GET", target, b"")


@pytest.fixture
def issued(user: User) -> Issued:
    return signing_keys.issue(user, name="ci", now=timezone.now())


@pytest.fixture
def signer(issued: Issued) -> Signer:
    return Signer(issued.key.keyid, issued.secret)


def refused(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 401, answer.content
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    return {name: value for name, value in answer.json().items() if name != "instance"}


SAME = {
    "type": "about:blank",
    "title": "Unauthorized",
    "status": 401,
    "code": "signature_invalid",
    "detail": "The signature of the request is not valid.",
}


@pytest.mark.django_db
def test_a_signed_request_acts_as_the_owner_of_its_key(signer: Signer) -> None:
    assert Sent().signed(signer).send().status_code == 400
    assert read().signed(signer).send().status_code == 200


@pytest.mark.django_db
def test_what_any_program_makes_by_the_rfc_is_accepted(issued: Issued) -> None:
    values = {"@query": "?", "@path": LIST, "@authority": "testserver", "@method": "GET"}
    now = int(timezone.now().timestamp())
    made = signature(values, secret=issued.secret, created=now, keyid=issued.key.keyid)
    assert replace(read(), headers=made).send().status_code == 200


def altered(**parts: Any) -> Callable[[Sent], Sent]:
    return lambda sent: replace(sent, **parts)


def with_header(name: str, change: Callable[[str], str]) -> Callable[[Sent], Sent]:
    return lambda sent: replace(
        sent, headers={**sent.headers, name: change(sent.headers.get(name, ""))}
    )


def without(name: str) -> Callable[[Sent], Sent]:
    return lambda sent: replace(
        sent, headers={each: value for each, value in sent.headers.items() if each != name}
    )


def parameter(old: str, new: str) -> Callable[[Sent], Sent]:
    return with_header("Signature-Input", lambda text: text.replace(old, new))


TAMPERED: dict[str, Callable[[Sent], Sent]] = {
    "method": altered(method="PUT"),
    "authority": with_header("Host", lambda _: "localhost"),
    "path": altered(target="/api/v1/locks/extend"),
    "body": altered(body=b'{"service": "imagen"}'),
    "no body": altered(body=b""),
    "content type": with_header("Content-Type", lambda _: "application/json; charset=utf-8"),
    "digest": with_header("Content-Digest", lambda text: text.replace("sha-256", "sha-512")),
    "no digest": without("Content-Digest"),
    "encoded body": with_header("Content-Encoding", lambda _: "gzip"),
    "no signature": without("Signature"),
    "no input": without("Signature-Input"),
    "another MAC": with_header("Signature", lambda _: f"sig1=:{b64encode(b'x' * 32).decode()}:"),
    "created": parameter("created=", "created=1"),
    "nonce": parameter('nonce="', 'nonce="n'),
    "tag": parameter('tag="mainstay"', 'tag="another"'),
    "label": parameter("sig1=", "sig2="),
    "algorithm": parameter("hmac-sha256", "ed25519"),
    "no algorithm": parameter(';alg="hmac-sha256"', ""),
    "component left out": parameter(' "content-digest"', ""),
    "component repeated": parameter('"@method"', '"@method" "@method"'),
    "unknown key": parameter('keyid="', 'keyid="k'),
    "two signatures": with_header(
        "Signature-Input", lambda text: f"{text}, sig2{text.removeprefix('sig1')}"
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED.keys())
def test_nothing_can_be_tampered_with_and_every_case_is_told_alike(
    signer: Signer, change: Callable[[Sent], Sent]
) -> None:
    assert refused(change(Sent().signed(signer)).send()) == SAME
    assert not SpentNonce.objects.exists()


QUERIES = {
    "another value": f"{LIST}?limit=6&service=imagen",
    "another order": f"{LIST}?service=imagen&limit=5",
    "another spelling": f"{LIST}?limit=5&service=%69magen",
    "left out": LIST,
    "added to": f"{FILTERED}&",
}


@pytest.mark.django_db
@pytest.mark.parametrize("target", QUERIES.values(), ids=QUERIES.keys())
def test_nor_can_the_query(signer: Signer, target: str) -> None:
    sent = read(FILTERED).signed(signer)
    assert refused(replace(sent, target=target).send()) == SAME
    assert not SpentNonce.objects.exists()
    assert sent.send().status_code == 200


MADE_WRONG: dict[str, dict[str, Any]] = {
    "old": {"age": 301},
    "from the future": {"age": -3_600},
    "short nonce": {"nonce": "n" * 21},
    "long nonce": {"nonce": "n" * 65},
}


@pytest.mark.django_db
@pytest.mark.parametrize("how", MADE_WRONG.values(), ids=MADE_WRONG.keys())
def test_a_signature_made_out_of_the_profile_is_told_alike(
    signer: Signer, how: dict[str, Any]
) -> None:
    options = dict(how)
    if "age" in options:
        options["created"] = int(timezone.now().timestamp()) - options.pop("age")
    assert refused(Sent().signed(signer, **options).send()) == SAME


SPELT = {
    "double slash": "/api/v1//generations",
    "dot segments": "/api/v1/x/%2e%2e/generations",
    "encoded slash": "/api/v1%2Fgenerations",
    "encoded letter": "/api/v1/%67enerations",
    "slash at the end": "/api/v1/generations/",
    "upper case": "/API/v1/generations",
}


@pytest.mark.django_db
@pytest.mark.parametrize("path", SPELT.values(), ids=SPELT.keys())
def test_a_signature_over_another_spelling_of_the_path_is_told_alike(
    issued: Issued, path: str
) -> None:
    values = {"@method": "GET", "@authority": "testserver", "@path": path, "@query": "?"}
    now = int(timezone.now().timestamp())
    made = signature(values, secret=issued.secret, created=now, keyid=issued.key.keyid)
    assert refused(replace(read(), headers=made).send()) == SAME


@pytest.mark.django_db
def test_our_signer_signs_what_is_routed_on_however_it_is_spelt(signer: Signer) -> None:
    answer = read("/api/v1/%67enerations").signed(signer).send()
    assert answer.status_code == 200
    answer = read("/api/v1/breakers/imagen%3Aeu%2Fx").signed(signer).send()
    assert answer.status_code not in (401, 403)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "state",
    [
        {"state": KeyState.REVOKED, "secret": ""},
        {"not_before": timedelta(hours=1)},
        {"not_after": timedelta(0)},
    ],
    ids=["revoked", "not valid yet", "expired"],
)
def test_a_key_that_does_not_live_is_told_alike(
    signer: Signer, issued: Issued, state: dict[str, Any]
) -> None:
    now = timezone.now()
    moved = {
        n: now + value if isinstance(value, timedelta) else value for n, value in state.items()
    }
    SigningKey.objects.filter(pk=issued.key.pk).update(**moved)
    assert refused(read().signed(signer).send()) == SAME


@pytest.mark.django_db
def test_the_key_of_an_inactive_owner_is_told_alike(signer: Signer, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert refused(read().signed(signer).send()) == SAME


@pytest.mark.django_db
def test_a_secret_moved_from_another_row_is_a_hard_error(
    signer: Signer, issued: Issued, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    other = signing_keys.issue(user, name="other", now=timezone.now())
    SigningKey.objects.filter(pk=issued.key.pk).update(secret=other.key.secret)
    client = Client(raise_request_exception=False)
    with caplog.at_level(logging.ERROR, "django.request"):
        answer = read().signed(signer).send(client)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert issued.key.keyid in caplog.text
    assert issued.key.keyid not in answer.text


@pytest.mark.django_db
def test_the_cause_is_for_the_log_and_the_signal_alone(
    signer: Signer, issued: Issued, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[dict[str, Any]] = []
    listener = lambda **told: heard.append(told)  # noqa: E731 - kept for the length of the test
    signals.signature_rejected.connect(listener)
    once = read().signed(signer)
    with caplog.at_level(logging.WARNING, "accounts.signing"):
        once.send()
        once.send()
        parameter('keyid="', 'keyid="k')(once).send()
    signals.signature_rejected.disconnect(listener)
    keyid = issued.key.keyid
    assert [(each["keyid"], each["cause"]) for each in heard] == [
        (keyid, "the nonce was used before"),
        (f"k{keyid}", "unknown key"),
    ]
    assert f"the nonce was used before (key {keyid})" in caplog.text
    assert issued.secret not in caplog.text


@pytest.mark.django_db
def test_a_request_works_once(signer: Signer) -> None:
    once = read().signed(signer)
    assert once.send().status_code == 200
    assert refused(once.send()) == SAME


@pytest.mark.django_db
def test_a_nonce_is_of_its_key_alone(signer: Signer, user: User) -> None:
    other = signing_keys.issue(user, name="other", now=timezone.now())
    for each in (signer, Signer(other.key.keyid, other.secret)):
        assert read().signed(each, nonce="n" * 22).send().status_code == 200


@pytest.mark.django_db
def test_the_cache_forgets_and_the_database_does_not(signer: Signer) -> None:
    once = read().signed(signer)
    assert once.send().status_code == 200
    caches["accounts"].clear()
    assert refused(once.send()) == SAME


@pytest.mark.django_db
def test_the_store_alone_refuses_too(signer: Signer) -> None:
    once = read().signed(signer)
    assert once.send().status_code == 200
    SpentNonce.objects.all().delete()
    assert refused(once.send()) == SAME


@pytest.mark.django_db
def test_with_valkey_killed_live_requests_work_and_replays_do_not(
    signer: Signer, settings: Settings, own_valkey: Valkey
) -> None:
    settings.CACHES = {**settings.CACHES, "accounts": caches_at(own_valkey.url)["accounts"]}
    before, after = read().signed(signer), read().signed(signer)
    assert before.send().status_code == 200
    own_valkey.stop()
    assert refused(before.send()) == SAME
    assert after.send().status_code == 200
    assert refused(after.send()) == SAME
    own_valkey.restart()
    assert refused(after.send()) == SAME


@pytest.fixture
def order(
    monkeypatch: pytest.MonkeyPatch, transactional_db: None, settings: Settings, signer: Signer
) -> Sent:
    """For a foreign project's view: an error reply rolls all back that was written meanwhile."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    settings.ROOT_URLCONF = foreign.__name__
    return Sent(target=foreign.PATH).signed(signer)


def test_an_error_that_rolls_a_request_back_does_not_make_it_good_again(order: Sent) -> None:
    assert order.send().status_code == 400
    if connection.vendor == "postgresql":
        caches["accounts"].clear()
    assert refused(order.send()) == SAME


def test_in_transactions_what_nothing_can_keep_is_not_accepted(
    order: Sent, settings: Settings, own_valkey: Valkey
) -> None:
    settings.CACHES = {**settings.CACHES, "accounts": caches_at(own_valkey.url)["accounts"]}
    own_valkey.stop()
    answer = order.send()
    if connection.vendor == "postgresql":
        assert answer.status_code == 400
        assert refused(order.send()) == SAME
    else:
        assert (answer.status_code, answer.json()["code"]) == (503, "signatures_unavailable")
        assert answer.headers["Retry-After"] == "1"
        own_valkey.restart()
        assert order.send().status_code == 400


def test_in_transactions_a_refusal_can_be_noted(order: Sent) -> None:
    assert refused(replace(order, body=b"{}").send()) == SAME


@pytest.mark.django_db
def test_refusals_are_on_record_once_a_minute_for_each_key(issued: Issued, signer: Signer) -> None:
    for _ in range(3):
        assert refused(replace(Sent().signed(signer), body=b"{}").send()) == SAME
    event = AuthEvent.objects.get(kind=EventKind.SIGNATURE_REFUSED)
    assert event.user_id == issued.key.owner_id
    assert event.detail.startswith(f"key {issued.key.keyid}: ")
    assert event.network == "127.0.0.0/24"


@pytest.mark.django_db
def test_refusals_of_keys_that_are_none_are_on_record_once_for_each_network() -> None:
    last = secrets.randbelow(256)
    for number in range(4):
        stranger = Signer(f"nobody-{number}", "A" * 43)
        client = Client(REMOTE_ADDR=f"198.18.{last}.{number}")
        assert refused(Sent().signed(stranger).send(client)) == SAME
    event = AuthEvent.objects.get(kind=EventKind.SIGNATURE_REFUSED)
    assert (event.user_id, event.detail) == (None, "unknown key")
    assert event.network == f"198.18.{last}.0/24"


@pytest.mark.django_db
def test_without_the_database_it_is_a_503(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = read().signed(signer)

    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("gone")

    with connection.execute_wrapper(fail):
        answer = sent.send()
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_twenty_parallel_sends_of_one_nonce_one_is_let_in(signer: Signer) -> None:
    once = read().signed(signer)
    answers = together(*[once.send] * 20)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 19}


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_the_database_alone_lets_one_of_twenty_in(signer: Signer, settings: Settings) -> None:
    dummy = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    settings.CACHES = {**settings.CACHES, "accounts": dummy}
    once = read().signed(signer)
    answers = together(*[once.send] * 20)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 19}


def scoped(user: User, *scopes: str) -> Signer:
    issued = signing_keys.issue(user, name="scoped", scopes=scopes, now=timezone.now())
    return Signer(issued.key.keyid, issued.secret)


ORDER = Sent(headers={"Idempotency-Key": "order"})
ACQUIRE = Sent("POST", "/api/v1/locks/acquire", b'{"name": "x"}')


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("scope", "sent", "let_in"),
    [
        ("read", read(), True),
        ("read", read("/api/v1/locks"), True),
        ("read", read("/api/v1/breakers"), True),
        ("read", ACQUIRE, False),
        ("read", ORDER, False),
        ("locks", ACQUIRE, True),
        ("locks", read(), False),
        ("locks", ORDER, False),
        ("generate", ORDER, True),
        ("generate", ACQUIRE, False),
    ],
    ids=range(10),
)
def test_a_key_does_what_is_within_its_scopes(
    user: User, scope: str, sent: Sent, let_in: bool
) -> None:
    answer = sent.signed(scoped(user, scope)).send()
    assert answer.status_code != 401
    assert (answer.json().get("code") != "permission_denied") is let_in


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/api/v1/locks/force-release", {"name": "x", "fence": 1, "reason": "x"}),
        ("/api/v1/breakers/x/open", {"reason": "x"}),
    ],
)
def test_no_scope_reaches_what_operators_do(
    operator: User, target: str, body: dict[str, Any]
) -> None:
    signer = scoped(operator, "read", "locks", "generate", "introspect")
    sent = Sent("POST", target, json.dumps(body).encode()).signed(signer)
    assert sent.send().status_code == 403


@pytest.mark.django_db
def test_a_key_may_introspect_if_that_is_what_it_is_for(operator: User, pair: Json) -> None:
    body = json.dumps({"token": pair["access"]}).encode()
    sent = Sent("POST", "/api/v1/auth/token/introspect", body)
    assert sent.signed(scoped(operator, "introspect")).send().json()["active"] is True
    assert sent.signed(scoped(operator, *USUAL)).send().status_code == 403


@pytest.mark.django_db
def test_a_key_of_somebody_who_is_staff_no_more_introspects_nothing(
    operator: User, pair: Json
) -> None:
    signer = scoped(operator, "introspect")
    User.objects.filter(pk=operator.pk).update(is_staff=False)
    body = json.dumps({"token": pair["access"]}).encode()
    sent = Sent("POST", "/api/v1/auth/token/introspect", body)
    assert sent.signed(signer).send().status_code == 403


@pytest.mark.django_db
def test_who_is_staff_again_asks_for_the_scope_again(operator: User, pair: Json) -> None:
    signer = scoped(operator, "introspect", "read")
    for staff in (False, True):
        operator.is_staff = staff
        operator.save()
    body = json.dumps({"token": pair["access"]}).encode()
    sent = Sent("POST", "/api/v1/auth/token/introspect", body)
    assert sent.signed(signer).send().status_code == 403
    assert read("/api/v1/locks").signed(signer).send().status_code == 200
    assert SigningKey.objects.get().scopes == ["read"]
    event = AuthEvent.objects.get(kind=EventKind.KEY_NARROWED)
    assert event.detail == f"key {signer.keyid} (scoped) without introspect"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["me", "sessions", "signing-keys"])
def test_the_account_itself_is_not_a_signatures_business(signer: Signer, path: str) -> None:
    answer = read(f"/api/v1/auth/{path}").signed(signer).send()
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


@pytest.mark.django_db
def test_a_signature_may_cover_the_key_of_an_order(signer: Signer) -> None:
    signed = ORDER.signed(signer)
    changed = replace(signed, headers={**signed.headers, "Idempotency-Key": "another"})
    assert refused(changed.send()) == SAME
    assert signed.send().status_code == 400


@pytest.mark.django_db
def test_use_is_noted_once_a_minute(signer: Signer) -> None:
    assert read().signed(signer).send().status_code == 200
    (first,) = SigningKey.objects.values_list("last_used_at", flat=True)
    assert read().signed(signer).send().status_code == 200
    assert SigningKey.objects.get().last_used_at == first
    long_ago = timezone.now() - timedelta(seconds=61)
    SigningKey.objects.update(last_used_at=long_ago)
    assert read().signed(signer).send().status_code == 200
    assert SigningKey.objects.get().last_used_at > long_ago


@pytest.mark.django_db
def test_a_body_over_the_limit_is_told_as_such(signer: Signer) -> None:
    answer = Sent(body=b"x" * 1_100_000).signed(signer).send()
    assert answer.status_code == 413


@pytest.mark.django_db
def test_a_host_that_is_not_ours_is_no_business_of_signatures(signer: Signer) -> None:
    sent = Sent().signed(signer)
    assert with_header("Host", lambda _: "evil.example")(sent).send().status_code == 400
