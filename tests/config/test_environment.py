import pytest
from django.core.exceptions import ImproperlyConfigured

from config import environment
from config.secrets import MAKERS

GOOD = {name: make() for name, make in MAKERS.items()}


def test_made_secrets_are_accepted() -> None:
    environment.check_secrets(GOOD)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param({"TOKEN_PEPPER": ""}, "TOKEN_PEPPER is not set", id="missing"),
        pytest.param({"TOKEN_PEPPER": "short"}, "TOKEN_PEPPER is too short", id="short"),
        pytest.param(
            {"SECRET_KEY": "django-insecure-" + "a1b2c3d4e5" * 4}, "SECRET_KEY looks", id="sample"
        ),
        pytest.param({"SECRET_KEY": "ab" * 30}, "SECRET_KEY looks", id="monotonous"),
        pytest.param(
            {"TOKEN_PEPPER": GOOD["ENCRYPTION_KEYS"]},
            "ENCRYPTION_KEYS and TOKEN_PEPPER hold the same value",
            id="repeated",
        ),
        pytest.param(
            {"ENCRYPTION_KEYS": GOOD["ENCRYPTION_KEYS"] + ",short"},
            "ENCRYPTION_KEYS is too short",
            id="one of a ring is short",
        ),
    ],
)
def test_a_bad_secret_is_named_and_refused(change: dict[str, str], complaint: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=complaint):
        environment.check_secrets(GOOD | change)


@pytest.mark.parametrize(
    "origin",
    [
        "http://app.example",
        "https://App.example",
        "https://app.example/",
        "https://app.example:443",
        "https://app.example:",
        "https://app.example:0443",
        "https://app example",
        "http://localhost.evil.example",
        "https://*.app.example",
        "https://user@app.example",
        "https://äpp.example",
        "https://",
        "null",
        "*",
        "app.example",
    ],
)
def test_an_origin_in_any_but_the_exact_spelling_is_refused(origin: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="CORS_ALLOWED_ORIGINS"):
        environment.origins([origin], allow_http_localhost=True)


def test_exact_origins_pass_and_blanks_are_dropped() -> None:
    given = [" https://app.example ", "https://app.example:8443", "http://localhost:5173", ""]
    assert environment.origins(given, allow_http_localhost=True) == [
        "https://app.example",
        "https://app.example:8443",
        "http://localhost:5173",
    ]


def test_localhost_over_http_needs_permission() -> None:
    with pytest.raises(ImproperlyConfigured):
        environment.origins(["http://localhost:5173"], allow_http_localhost=False)


def test_a_key_ring_is_read_in_order() -> None:
    first, second = MAKERS["TOKEN_PEPPER"](), MAKERS["TOKEN_PEPPER"]()
    ring = environment.keys("ENCRYPTION_KEYS", f"{first}, {second}")
    assert [len(key) for key in ring] == [32, 32]
    assert ring == environment.keys("X", first) + environment.keys("X", second)


@pytest.mark.parametrize("text", ["abc", "*" * 43, "a" * 44])
def test_a_key_that_is_not_32_bytes_of_base64url_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="ENCRYPTION_KEYS"):
        environment.keys("ENCRYPTION_KEYS", text)


def test_a_bad_network_names_its_variable() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"TRUSTED_PROXIES.*10\.0\.0\.1/8"):
        environment.networks("TRUSTED_PROXIES", ["10.0.0.1/8"])


def test_counts_start_at_one() -> None:
    with pytest.raises(ImproperlyConfigured, match="WORKERS must be at least 1"):
        environment.positive("WORKERS", 0)


def test_a_limit_is_no_less_than_nothing() -> None:
    assert environment.count("RATE_LIMIT_USER", 0) == 0
    with pytest.raises(ImproperlyConfigured, match="RATE_LIMIT_USER must be 0 or more"):
        environment.count("RATE_LIMIT_USER", -1)


KEY = "k" * 43


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("short", id="short"),
        pytest.param(KEY + "kkkkk", id="long"),
        pytest.param(f"{KEY}:next=soon", id="no time"),
        pytest.param(f"{KEY}:next=2026-01-01T00:00:00Z", id="none signs"),
        pytest.param(f"{KEY},{KEY}", id="twice"),
        pytest.param("", id="none"),
    ],
)
def test_signing_keys_that_cannot_be_read_name_their_variable_alone(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="TOKEN_SIGNING_KEYS") as caught:
        environment.signing_keys("TOKEN_SIGNING_KEYS", text)
    assert KEY not in str(caught.value)


def test_signing_keys_keep_their_states() -> None:
    first, second = (GOOD[name] for name in ("TOKEN_SIGNING_KEYS", "ENCRYPTION_KEYS"))
    found = environment.signing_keys("X", f"{first}, {second}:until=2026-01-01T00:00:00Z")
    assert [key.state for key in found] == ["current", "retired"]
    assert found[0].secret == environment.keys("X", first)[0]
