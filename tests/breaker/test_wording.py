"""What operators are told of errors, and what nobody is."""

import time

import pytest
from pytest_django.fixtures import Settings

from breaker import get_breaker
from breaker.wording import LONGEST_LOOK, described
from tests.breaker.test_guard import Down, fail


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (ValueError("no"), "ValueError: no"),
        (Down("no"), "Down: no"),
        (ValueError("a\nb\x00c\ud800"), "ValueError: a b c "),
        (ValueError("x" * 500), "ValueError: " + "x" * 288),
        (ValueError(), "ValueError"),
        (Unspeakable(), "Unspeakable"),
        ({"a": "result"}, "dict"),
        (None, ""),
    ],
    ids=["text", "own", "unprintable", "long", "wordless", "unspeakable", "result", "nothing"],
)
def test_failures_are_described_in_one_printable_line(end: object, text: str) -> None:
    assert described(end) == text


def test_notes_are_not_the_error() -> None:
    error = ConnectionError("refused by db1")
    error.add_note("while rendering page 7")
    assert described(error) == "ConnectionError: refused by db1"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("url: /v1/models?key=S3CRET&alt=sse", "url: /v1/models?key=***&alt=sse"),
        (
            "url: /v1?alt=sse&api_key=S3CRET (Caused by X)",
            "url: /v1?alt=sse&api_key=*** (Caused by X)",
        ),
        ("postgresql://app:S3CRET@db/prod is down", "postgresql://***@db/prod is down"),
        ("redis://:S3@C/RET@cache:6379/0", "redis://***@cache:6379/0"),
        ("https://S3CRET@host/a", "https://***@host/a"),
        ("401 for Authorization: Bearer S3CRET", "401 for Authorization: ***"),
        ("authorization=Basic S3CRET=, next", "authorization=*** next"),
        (
            "{'Authorization': 'Bearer S3CRET', 'Accept': '*/*'}",
            "{'Authorization': ***, 'Accept': '*/*'}",
        ),
        ("('Authorization', 'Basic S3CRET')", "('Authorization', ***)"),
        ("('X-Api-Key', b'S3CRET')", "('X-Api-Key', ***)"),
        ('{"client_secret": "S3\\"CRET", "a": 1}', '{"client_secret": ***, "a": 1}'),
        ("host=db password='S3 CRET' user=app", "host=db password=*** user=app"),
        ("PASSWORD = S3CRET", "PASSWORD = ***"),
        ("access_token%3DS3CRET%26a", "access_token%3D***"),
        ("sent Bearer S3CRET to x", "sent Bearer *** to x"),
        ("the token eyJhbGciOi.eyJzdWIi.S3CRET expired", "the token *** expired"),
        ("not a key of ours: AIzaSyA-S3CRETS3CRET", "not a key of ours: ***"),
        ("password=" + "S3CRET" * LONGEST_LOOK, "password=***"),
        (
            "https://example.org:8080/a?b=c said max_tokens=5",
            "https://example.org:8080/a?b=c said max_tokens=5",
        ),
    ],
    ids=lambda text: text[:30],
)
def test_secrets_are_left_out(text: str, told: str) -> None:
    assert described(Down(text)) == f"Down: {told}"


def test_any_text_is_looked_at_in_no_time() -> None:
    began = time.process_time()
    for piece in ("://", "://a:", "key", "key ", 'auth"', "bearer ", 'key="', "eyJ", "a", " "):
        described(Down(piece * 100_000))
    assert time.process_time() - began < 3


def test_a_project_may_keep_the_class_alone(settings: Settings) -> None:
    settings.BREAKER = {**settings.BREAKER, "ERROR_DETAIL": False}
    breaker = get_breaker("quiet", failure_threshold=1)
    with pytest.raises(Down, match="out of order"):
        breaker.call(fail)
    assert breaker.replica.snapshot.seed.last_error == "Down"
