from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIRequestFactory

from accounts import errors, keys
from accounts.authentication import BearerAuthentication
from accounts.backend import Remembered
from accounts.claims import Claims
from accounts.models import LoginSession
from accounts.tokens import AccessToken, RefreshToken, read

from .conftest import Call, Json
from .forge import encoded, forged, hs256, payload

pytestmark = pytest.mark.django_db

# Seconds of the year 2100. Parameters must be the same in every process that collects them.
NEVER = 4_102_444_800


def authenticate(header: str) -> tuple[Any, Claims] | None:
    request = APIRequestFactory().get("/", headers={"Authorization": header})
    return BearerAuthentication().authenticate(request)


def test_a_token_brings_its_user_and_claims_in_one_query(
    pair: Json, user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        result = authenticate(f"Bearer {pair['access']}")
    assert result is not None
    assert result[0] == user
    assert result[1].sid == pair["session"]


def test_the_scheme_is_read_in_any_case(pair: Json) -> None:
    assert authenticate(f"bEaReR {pair['access']}") is not None


@pytest.mark.parametrize("header", ["", "Basic YTpi", "Token abc", "gibberish", "Bearer\tx"])
def test_another_scheme_is_left_to_others_and_refused_in_the_end(header: str, call: Call) -> None:
    assert authenticate(header) is None
    answer = call("GET", "me")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "token",
    [
        "", " ", "a", "a.b", "a.b.c", "a.b.c.d", "..", "é.é.é", "\x7f", "a b", "Bearer x",
        "=.=.=", "%00", "null", "x" * 5000, f"{encoded(b'[' * 2000)}.e30.AA",
        f"{encoded(b'[]')}.e30.AA", f"{encoded(b'7')}.e30.AA", f"{encoded(b'{')}.e30.AA",
    ],
    ids=lambda token: repr(token)[:30],
)  # fmt: skip
def test_a_malformed_token_is_refused_and_nothing_looked_up(
    token: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0), pytest.raises(errors.TokenInvalid) as caught:
        authenticate(f"Bearer {token}")
    assert caught.value.code == "token_invalid"


def test_over_http_a_malformed_token_is_a_401_with_a_challenge(call: Call) -> None:
    answer = call("GET", "me", access="a.b.c")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


OURS = {"alg": "EdDSA", "typ": "JWT"}


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "JWT"},
        {"alg": "ES256", "typ": "JWT"},
        {"alg": "eddsa", "typ": "JWT"},
        {"alg": ["EdDSA"], "typ": "JWT"},
        {**OURS, "typ": "at+jwt"},
        {**OURS, "kid": "unknown"},
        {**OURS, "kid": 7},
        {**OURS, "kid": ["a"]},
        {**OURS, "jku": "https://evil.example/jwks.json"},
        {**OURS, "x5u": "https://evil.example/cert"},
        {**OURS, "jwk": {"kty": "OKP"}},
        {**OURS, "x5c": ["MII"]},
        {**OURS, "crit": ["exp"]},
        {**OURS, "b64": False, "crit": ["b64"]},
        {**OURS, "zip": "DEF"},
    ],
    ids=str,
)
def test_another_header_is_refused_even_when_signed_by_our_key(
    pair: Json, header: Json, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    token = forged(payload(pair["access"]), {"kid": keys.ring().kid, **header})
    with django_assert_num_queries(0), pytest.raises(errors.TokenInvalid):
        authenticate(f"Bearer {token}")


def test_a_header_without_kid_is_refused(pair: Json) -> None:
    with pytest.raises(errors.TokenInvalid):
        authenticate(f"Bearer {forged(payload(pair['access']), OURS)}")


def test_the_public_key_as_an_hmac_secret_is_refused(pair: Json) -> None:
    public = keys.ring().private.public_key()
    for secret in (
        public.public_bytes_raw(),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ):
        token = hs256(payload(pair["access"]), secret, kid=keys.ring().kid)
        with pytest.raises(errors.TokenInvalid):
            authenticate(f"Bearer {token}")


def test_an_unsigned_token_and_a_foreign_signature_are_refused(pair: Json) -> None:
    head, body, _ = pair["access"].split(".")
    none = encoded(b'{"alg":"none","typ":"JWT"}')
    for token in (
        f"{head}.{body}.",
        f"{none}.{body}.",
        forged(payload(pair["access"]), key=Ed25519PrivateKey.generate()),
        forged({**payload(pair["access"]), "sub": "2"}, key=Ed25519PrivateKey.generate()),
    ):
        with pytest.raises(errors.TokenInvalid):
            authenticate(f"Bearer {token}")


@pytest.mark.parametrize("claim", list(Claims.__dataclass_fields__))
@pytest.mark.parametrize("value", [None, True, 1.5, [], {"a": 1}, "", -1, 10**18, "a\0b"], ids=repr)
def test_a_claim_of_a_wrong_kind_is_refused_even_when_signed(
    pair: Json, claim: str, value: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    token = forged({**payload(pair["access"]), claim: value})
    with django_assert_num_queries(0), pytest.raises(errors.TokenInvalid):
        authenticate(f"Bearer {token}")


@pytest.mark.parametrize("body", [[], "x", 7, None, {}], ids=repr)
def test_a_signed_payload_that_is_no_claims_is_refused(body: Any) -> None:
    with pytest.raises(errors.TokenInvalid):
        authenticate(f"Bearer {forged(body)}")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "another"}, "token_invalid"),
        ({"aud": "another"}, "token_invalid"),
        ({"token_type": "refresh"}, "token_invalid"),
        ({"nbf": NEVER}, "token_invalid"),
        ({"exp": 1}, "token_expired"),
        ({"sub": "999"}, "token_revoked"),
        ({"sid": "another"}, "token_revoked"),
        ({"ep": 1}, "token_revoked"),
    ],
    ids=str,
)
def test_a_token_that_says_something_else_is_refused(
    pair: Json, call: Call, changes: Json, code: str
) -> None:
    token = forged({**payload(pair["access"]), **changes})
    answer = call("GET", "me", access=token)
    assert (answer.status_code, answer.json()["code"]) == (401, code)


def test_a_token_dies_at_its_second(pair: Json, settings: Settings) -> None:
    session = LoginSession.objects.get()
    settings.ACCOUNTS = {**settings.ACCOUNTS, "ACCESS_LIFETIME": 60}
    past = timezone.now() - timezone.timedelta(seconds=60)
    expired = AccessToken.issue(session, generation=0, now=past)
    with pytest.raises(errors.TokenExpired):
        read(AccessToken, str(expired))


def test_a_remembered_token_still_expires(pair: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    session = LoginSession.objects.get()
    past = timezone.now() - timezone.timedelta(seconds=3599)
    token = str(AccessToken.issue(session, generation=0, now=past))
    assert read(AccessToken, token).sid == session.pk
    later = timezone.now() + timezone.timedelta(seconds=2)
    monkeypatch.setattr("rest_framework_simplejwt.tokens.aware_utcnow", lambda: later)
    with pytest.raises(errors.TokenExpired):
        read(AccessToken, token)


def test_no_token_outlives_its_session(pair: Json) -> None:
    session = LoginSession.objects.get()
    late = session.expires_at - timezone.timedelta(seconds=10)
    for kind in (AccessToken, RefreshToken):
        token = kind.issue(session, generation=1, now=late)
        assert token.expires_at == session.expires_at.replace(microsecond=0)


def test_simplejwts_way_to_make_a_token_is_closed(user: User) -> None:
    with pytest.raises(TypeError, match="login session"):
        RefreshToken.for_user(user)


def test_the_signature_is_checked_once_per_token(
    pair: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(AccessToken, pair["access"])
    monkeypatch.setattr("jwt.api_jws.decode", None)
    assert read(AccessToken, pair["access"]).sid == pair["session"]


def test_remembered_payloads_are_bounded_and_the_used_ones_stay() -> None:
    remembered = Remembered(size=10)
    remembered.put(b"used", {"n": 0})
    for number in range(100):
        remembered.put(str(number).encode(), {"n": number})
        assert remembered.get(b"used") == {"n": 0}
        assert len(remembered._new) + len(remembered._old) <= 20
    assert remembered.get(b"0") is None


@pytest.mark.django_db(transaction=True)
def test_an_unreachable_database_is_a_503(
    pair: Json, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.close()
    options = {k: v for k, v in connection.settings_dict["OPTIONS"].items() if k != "pool"}
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nonexistent")
    if connection.vendor == "sqlite":
        monkeypatch.setitem(connection.settings_dict, "NAME", "/nonexistent/db.sqlite3")
    try:
        answer = call("GET", "me", access=pair["access"])
    finally:
        monkeypatch.undo()
        connection.close()
    assert answer.status_code == 503
    assert answer.json()["code"] == "database_unavailable"
    assert answer.headers["Retry-After"] == "1"
