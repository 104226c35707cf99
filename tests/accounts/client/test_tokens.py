import math

import pytest

from accounts.client.tokens import Kept, Tokens, hold


def tokens(end: float, ahead: float | None = 0.0) -> Tokens:
    return Tokens(access="a", refresh="r", access_expires_at=end, ahead=ahead)


@pytest.mark.parametrize(
    ("end", "ahead", "chance", "renew_at", "ends_at"),
    [
        pytest.param(4600, 0, 0, 50 + 3600 - 150, 3650, id="an hour, as late as may be"),
        pytest.param(4600, 0, 1, 50 + 3600 - 300, 3650, id="an hour, as early as may be"),
        pytest.param(1010, 0, 1, 50 + 9, 60, id="ten seconds"),
        pytest.param(900, 0, 1, 50, 50, id="over before it was read"),
        pytest.param(4600 + 7200, 7200, 1, 50 + 3300, 3650, id="the server is two hours ahead"),
        pytest.param(4600 - 7200, -7200, 1, 50 + 3300, 3650, id="or behind"),
        pytest.param(4600, None, 1, math.inf, math.inf, id="the server told no time"),
    ],
)
def test_renewal_comes_a_little_before_the_end(
    end: float, ahead: float | None, chance: float, renew_at: float, ends_at: float
) -> None:
    held = hold(tokens(end, ahead), wall=1000.0, monotonic=50.0, chance=chance)
    assert (held.renew_at, held.ends_at) == (renew_at, ends_at)


def test_what_is_kept_comes_back() -> None:
    for kept in (Kept(), Kept(tokens=tokens(7, None), device_token="d"), Kept(tokens=tokens(7))):
        assert Kept.parse(kept.dump()) == kept
    assert Kept.parse(None) == Kept()


@pytest.mark.parametrize(
    "text", ["", "secret", "[]", "7", "{}", '{"tokens": 7, "device_token": 1}',
             '{"tokens": {"access": "secret"}, "device_token": null}'],
)  # fmt: skip
def test_something_else_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="something else") as caught:
        Kept.parse(text)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__
