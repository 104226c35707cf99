import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

import jwt
import pytest
from django.test import Client
from pytest_django import Settings

from accounts import keys
from accounts.conf import conf

from .conftest import Call, Json

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
    document = json.dumps(keys.jwks(keys.ring()))
    assert '"d"' not in document
    assert urlsafe_b64encode(conf().signing_keys[0]).rstrip(b"=").decode() not in document


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
    assert not any(str(key) in repr(conf()) for key in (*conf().signing_keys, conf().pepper))
