import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import keyring, keys
from accounts.backend import backend_of
from accounts.conf import conf
from accounts.keyring import Key, State

from .conftest import Call, Json
from .forge import payload

# RFC 8037, appendix A.1 to A.3.
SEED = urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_kid_is_the_thumbprint_of_the_standard_example() -> None:
    assert keys.ring_of((SEED,)).kid == THUMBPRINT


@pytest.mark.django_db
def test_the_published_keys_verify_our_tokens(pair: Json) -> None:
    answer = Client().get("/.well-known/jwks.json")
    assert answer.status_code == 200
    published = {key["kid"]: jwt.PyJWK(key) for key in answer.json()["keys"]}
    kid = jwt.get_unverified_header(pair["access"])["kid"]
    claims = jwt.decode(pair["access"], published[kid], algorithms=["EdDSA"], audience="mainstay")
    assert claims["sid"] == pair["session"]


def test_nothing_private_is_published(settings: Settings) -> None:
    document = json.dumps(keys.jwks(keys.ring(), now=timezone.now()))
    assert '"d"' not in document
    assert urlsafe_b64encode(conf().signing_keys[0].secret).rstrip(b"=").decode() not in document


@pytest.mark.django_db
def test_a_retired_key_still_verifies_and_a_removed_one_does_not(
    pair: Json, call: Call, settings: Settings
) -> None:
    old = list(settings.ACCOUNTS["SIGNING_KEYS"])
    settings.ACCOUNTS = {**settings.ACCOUNTS, "SIGNING_KEYS": [SEED, *old]}
    assert call("GET", "me", access=pair["access"]).status_code == 200
    renewed = call("POST", "token/refresh", {"refresh": pair["refresh"]}).json()
    assert jwt.get_unverified_header(renewed["access"])["kid"] == THUMBPRINT
    settings.ACCOUNTS = {**settings.ACCOUNTS, "SIGNING_KEYS": [SEED]}
    assert call("GET", "me", access=pair["access"]).json()["code"] == "token_invalid"
    assert call("GET", "me", access=renewed["access"]).status_code == 200


def test_without_settings_the_two_keys_are_derived_and_differ(settings: Settings) -> None:
    configured = keys.ring().kid
    settings.ACCOUNTS = {}
    derived = keys.ring().kid
    assert derived != configured
    assert keys.ring().kid == derived
    settings.SECRET_KEY = "x" * 50
    assert keys.ring().kid != derived


def test_digests_keep_purposes_and_boundaries_apart() -> None:
    found = {
        keys.digest("a", "b"),
        keys.digest("b", "a"),
        keys.digest("a", "b", ""),
        keys.digest("ab"),
        keys.digest("a", "1:b"),
    }
    assert len(found) == 5
    assert hashlib.sha256(b"1:a1:b").hexdigest() not in found


def test_secrets_do_not_show_in_the_settings() -> None:
    secrets = [*(key.secret for key in conf().signing_keys), conf().pepper]
    assert not any(str(secret) in repr((conf(), *conf().signing_keys)) for secret in secrets)


def in_ring(settings: Settings, *entries: keyring.Key | bytes, **others: object) -> None:
    settings.ACCOUNTS = {**settings.ACCOUNTS, "SIGNING_KEYS": entries, **others}


@pytest.mark.django_db
def test_a_key_goes_from_published_to_signing_to_retired_without_a_break(
    sign_in: Callable[..., Json], call: Call, settings: Settings
) -> None:
    old, new = conf().signing_keys[0].secret, SEED
    now = timezone.now()
    before = sign_in()
    in_ring(settings, old, Key(new, State.NEXT, now))
    assert keys.ring().kid != THUMBPRINT
    published = Client().get("/.well-known/jwks.json").json()["keys"]
    assert THUMBPRINT in {key["kid"] for key in published}
    # Another process that has the new ring already may sign with what is next for this one.
    in_ring(settings, new, Key(old, State.RETIRED, now + timedelta(days=31)))
    after = sign_in()
    assert jwt.get_unverified_header(after["access"])["kid"] == THUMBPRINT
    in_ring(settings, old, Key(new, State.NEXT, now))
    for pair in (before, after):
        assert call("GET", "me", access=pair["access"]).status_code == 200


@pytest.mark.django_db
def test_a_retired_key_verifies_until_its_end_even_what_is_remembered(
    pair: Json, call: Call, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = timezone.now() + timedelta(hours=1)

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return end

    in_ring(settings, SEED, Key(conf().signing_keys[0].secret, State.RETIRED, end))
    assert call("GET", "me", access=pair["access"]).status_code == 200
    monkeypatch.setattr("accounts.backend.datetime", Later)
    assert call("GET", "me", access=pair["access"]).json()["code"] == "token_invalid"
    (published,) = keys.jwks(keys.ring(), now=end)["keys"]
    assert published["kid"] == THUMBPRINT


@pytest.fixture
def hs256(settings: Settings) -> bytes:
    secret = b"a secret that serves nothing else, ever"
    in_ring(settings, secret, ALGORITHM="HS256")
    return secret


@pytest.mark.django_db
def test_one_service_may_sign_with_a_secret_and_publishes_none(
    hs256: bytes, pair: Json, call: Call
) -> None:
    assert jwt.get_unverified_header(pair["access"])["alg"] == "HS256"
    claims = jwt.decode(pair["access"], hs256, algorithms=["HS256"], audience="mainstay")
    assert claims["sid"] == pair["session"]
    assert call("GET", "me", access=pair["access"]).status_code == 200
    assert call("POST", "token/refresh", {"refresh": pair["refresh"]}).status_code == 200
    assert Client().get("/.well-known/jwks.json").json() == {"keys": []}


@pytest.mark.django_db
def test_only_the_one_algorithm_is_accepted(
    hs256: bytes, pair: Json, call: Call, settings: Settings
) -> None:
    told = {"kid": keys.ring().kid, "typ": "JWT"}
    text = jwt.encode(payload(pair["access"]), SEED * 2, algorithm="HS512", headers=told)
    assert call("GET", "me", access=text).json()["code"] == "token_invalid"
    other = jwt.encode(payload(pair["access"]), b"x" * 32, algorithm="HS256", headers=told)
    assert call("GET", "me", access=other).json()["code"] == "token_invalid"
    in_ring(settings, SEED, ALGORITHM="EdDSA")
    assert call("GET", "me", access=pair["access"]).json()["code"] == "token_invalid"


def test_with_a_grace_a_secret_gives_the_same_pair_too() -> None:
    ring = keys.ring_of((b"s" * 32,), "HS256")
    assert len({backend_of(ring).encode({"jti": "x", "exp": 1}) for _ in range(3)}) == 1
