import pytest

from locking.patterns import pattern


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
        ("api:deploy", "api:*"),
        ("a:::b", "a:::b"),
        ("{x}", "*"),
    ],
)
def test_only_words_are_kept(name, expected):
    assert pattern(name) == expected
