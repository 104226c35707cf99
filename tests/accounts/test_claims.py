from typing import Any

import pytest

from accounts.claims import Claims, parse

GOOD: dict[str, Any] = {
    "iss": "i", "aud": "a", "sub": "1", "sid": "s", "jti": "j", "token_type": "access",
    "gen": 0, "ep": 0, "iat": 1, "nbf": 1, "exp": 2,
}  # fmt: skip


def test_the_exact_shape_is_accepted() -> None:
    assert parse(GOOD) == Claims(**GOOD)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize(
    "value",
    [None, True, 1.5, [], {}, ["x"], b"x", "", "x" * 256, "a\nb", -1, 10**18],
    ids=repr,
)
def test_any_other_value_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"claim {name} "):
        parse({**GOOD, name: value})


@pytest.mark.parametrize("name", GOOD)
def test_text_for_a_number_and_number_for_text_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"claim {name} "):
        parse({**GOOD, name: "1" if type(GOOD[name]) is int else 1})


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_claim_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"claim {name} "):
        parse({key: value for key, value in GOOD.items() if key != name})


def test_an_unknown_claim_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown claim role"):
        parse({**GOOD, "role": "admin"})


def test_the_token_id_does_not_show() -> None:
    assert "secret" not in repr(parse({**GOOD, "jti": "secret"}))
