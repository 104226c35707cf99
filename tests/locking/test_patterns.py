from collections.abc import Iterator

import pytest

from locking import locked, patterns
from locking.patterns import pattern


@pytest.fixture(autouse=True)
def templates(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """None but those of the test."""
    pattern.cache_clear()
    monkeypatch.setattr(patterns, "_templates", {})
    yield
    pattern.cache_clear()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nightly-import", "nightly-import"),
        ("invoice:7", "invoice:*"),
        ("invoice:7/line:a1b2", "invoice:*/line:*"),
        ("generation:0b8e7f0a-5c1e-4a52-9d0c-0b7a1f0c9f11", "generation:*"),
        ("cache:deadbeef", "cache:*"),
        ("locking:probe", "locking:probe"),
        ("shop.models.Order:12", "shop.models.Order:*"),
        ("user:ada@example.com", "user:*"),
        ("report für alle", "report für alle"),
        ("k:" + "x" * 41, "k:*"),
        ("a:::b", "a:::b"),
        ("{x}", "*"),
    ],
)
def test_only_words_are_kept(name, expected):
    assert pattern(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("visit:ada", "visit:*"),
        ("visit:ada:today", "visit:*:today"),
        ("visit:ada:7", "visit:*"),
        ("visit:", "visit:*"),
        ("{}:ada", "{}:*"),
        ("visits:ada", "visits:ada"),
        ("no visit:ada", "no visit:ada"),
        ("deploy", "deploy"),
    ],
)
def test_a_template_tells_which_part_is_no_word(name, expected):
    for template in (
        "visit:{user.name!s:>3}", "visit:{user}:today", "{{}}:{user}", "{anything}", "deploy",
    ):  # fmt: skip
        locked(template)(lambda user, anything: None)
    assert pattern(name) == expected


def test_a_template_that_comes_late_counts_from_then_on():
    assert pattern("late:ada") == "late:ada"
    locked("late:{user}")(lambda user: None)
    assert pattern("late:ada") == "late:*"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("auth.user:ada", "auth.user:*"),
        ("auth.user:two words: or three", "auth.user:*"),
        ("auth.user:ada:mail", "auth.user:*:mail"),
        ("auth.user", "auth.user"),
        ("auth.cat:ada", "auth.cat:ada"),
        ("shop.user:ada", "shop.user:ada"),
    ],
)
def test_the_key_of_a_row_is_no_word(name, expected):
    locked("auth.user:{user}:mail")(lambda user: None)
    assert pattern(name) == expected
