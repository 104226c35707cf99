import pytest

from health.endpoints.accept import HEALTH, JSON, TEXT, preferred


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("APPLICATION/Health+JSON", HEALTH),
        ("text/*", TEXT),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        ("application/health+json, application/json", HEALTH),
        ("application/json, application/health+json", JSON),
        ("application/json;q=0.5, application/health+json;q=0.50, text/plain;q=0.8", TEXT),
        ("text/plain;q=0", JSON),
        ("text/plain;q=0.000, application/health+json;q=0.001", HEALTH),
        ("text/plain; charset=utf-8; q=0.1, */*;q=0.2", JSON),
        ("text/plain;q=2", TEXT),
        ("text/plain;q=nonsense", TEXT),
        ("application/json;q=0", JSON),
        (";;,,/,\x00q=", JSON),
        ("q=1", JSON),
    ],
)
def test_the_first_of_the_heaviest_decides(accept: str, expected: str) -> None:
    assert preferred(accept) == expected
