"""That the rules we hold ourselves to take points where the Observatory does."""

from dataclasses import replace

import pytest

from .observatory import RULES, Seen, grade, score

BEST = Seen(
    host="mainstay.example",
    headers={
        "content-security-policy": "default-src 'none'; script-src 'self'; form-action 'self';"
        " frame-ancestors 'none'",
        "referrer-policy": "no-referrer",
        "strict-transport-security": "max-age=63072000; includeSubDomains",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "cross-origin-resource-policy": "same-origin",
        "cross-origin-embedder-policy": "require-corp",
        "cross-origin-opener-policy": "same-origin",
    },
    cookies=("sessionid=a; Secure; HttpOnly; SameSite=Lax",),
    http_location="https://mainstay.example/",
)


def test_the_best_there_is() -> None:
    assert (score(BEST), grade(score(BEST))) == (155, "A+")


@pytest.mark.parametrize(
    ("name", "value", "rule", "points"),
    [
        ("content-security-policy", "", "content-security-policy", -25),
        ("content-security-policy", "default-src *", "content-security-policy", -20),
        ("content-security-policy", "img-src 'self'", "content-security-policy", -20),
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self' 'unsafe-inline'",
            "content-security-policy",
            -20,
        ),
        (
            "content-security-policy",
            "default-src 'none'; img-src http://x.example",
            "content-security-policy",
            -20,
        ),
        (
            "content-security-policy",
            "default-src 'none'; script-src 'unsafe-eval'",
            "content-security-policy",
            -10,
        ),
        (
            "content-security-policy",
            "default-src 'none'; style-src 'unsafe-inline'",
            "content-security-policy",
            0,
        ),
        ("content-security-policy", "default-src 'none'", "content-security-policy", 5),
        ("referrer-policy", "", "referrer-policy", 0),
        ("referrer-policy", "unsafe-url", "referrer-policy", -5),
        ("strict-transport-security", "", "strict-transport-security", -20),
        ("strict-transport-security", "max-age=60", "strict-transport-security", -10),
        ("x-content-type-options", "", "x-content-type-options", -5),
        ("x-content-type-options", "nosniff, nosniff", "x-content-type-options", -5),
        ("cross-origin-resource-policy", "cross-origin", "cross-origin-resource-policy", 0),
    ],
)
def test_a_weaker_header_costs(name: str, value: str, rule: str, points: int) -> None:
    assert RULES[rule](replace(BEST, headers={**BEST.headers, name: value})) == points


def test_framing_is_lost_when_neither_header_refuses_it() -> None:
    weak = {"content-security-policy": "default-src 'none'", "x-frame-options": "ALLOWALL"}
    assert RULES["x-frame-options"](replace(BEST, headers=weak)) == -20


@pytest.mark.parametrize(
    ("cookie", "points"),
    [
        ("sessionid=a; Secure; SameSite=Lax", -30),
        ("sessionid=a; HttpOnly; SameSite=Lax", -10),
        ("other=a; SameSite=Lax", -5),
        ("other=a; Secure", -20),
        ("other=a; Secure; SameSite=None", -20),
    ],
)
def test_a_weaker_cookie_costs(cookie: str, points: int) -> None:
    assert RULES["cookies"](replace(BEST, cookies=(cookie,))) == points


def test_neither_an_open_door_nor_a_missing_way_to_https_is_forgiven() -> None:
    granted = {
        "access-control-allow-origin": "https://evil.example",
        "access-control-allow-credentials": "true",
    }
    assert RULES["cross-origin-resource-sharing"](replace(BEST, with_foreign_origin=granted)) == -50
    assert RULES["redirection"](replace(BEST, http_location="")) == -20
    assert RULES["redirection"](replace(BEST, http_location="https://other.example/")) == -5


def test_extra_credit_is_only_for_those_who_hardly_need_it() -> None:
    poor = replace(BEST, http_location="")
    assert (score(poor), grade(score(poor))) == (80, "B+")
