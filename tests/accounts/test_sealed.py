import pytest
from pytest_django import Settings

from accounts import errors, sealed

PLACE = "table|column|row"
OLD, NEW = b"o" * 32, b"n" * 32


def use(settings: Settings, *keys: bytes) -> None:
    settings.ACCOUNTS = {**settings.ACCOUNTS, "ENCRYPTION_KEYS": list(keys)}


def test_what_was_sealed_opens_in_its_place() -> None:
    text = sealed.seal(b"a secret", PLACE)
    assert sealed.unseal(text, PLACE) == b"a secret"
    assert text.split(".")[:2] == ["v1", sealed.ring().kid]
    assert sealed.is_envelope(text)
    assert b"a secret" not in text.encode()


def test_no_two_envelopes_of_one_secret_are_alike() -> None:
    assert len({sealed.seal(b"a secret", PLACE) for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "place", ["table|column|other", "table|other|row", "other|column|row", ""], ids=str
)
def test_it_opens_nowhere_else(place: str) -> None:
    with pytest.raises(errors.SealBroken):
        sealed.unseal(sealed.seal(b"a secret", PLACE), place)


def test_not_one_altered_character_is_let_pass() -> None:
    text = sealed.seal(b"a secret", PLACE)
    for number, character in enumerate(text[:-1]):
        altered = text[:number] + ("A" if character != "A" else "B") + text[number + 1 :]
        with pytest.raises(errors.SealBroken):
            sealed.unseal(altered, PLACE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a secret",
        "v1...",
        "v1.a.b.c",
        "v2",
        "v1.{kid}.AAAA.AAAA",
        "v1.{kid}.A.A",
    ],
    ids=range(7),
)
def test_what_is_no_envelope_is_a_typed_error_and_never_taken_for_the_secret(text: str) -> None:
    with pytest.raises(errors.SealBroken, match=r"table\|column\|row"):
        sealed.unseal(text.format(kid=sealed.ring().kid), PLACE)


def test_the_version_is_not_free_to_choose() -> None:
    text = sealed.seal(b"a secret", PLACE)
    with pytest.raises(errors.SealBroken):
        sealed.unseal(text.replace("v1", "v2", 1), PLACE)


def test_the_first_key_seals_and_all_unseal(settings: Settings) -> None:
    use(settings, OLD)
    text = sealed.seal(b"a secret", PLACE)
    use(settings, NEW, OLD)
    assert sealed.unseal(text, PLACE) == b"a secret"
    assert sealed.seal(b"a secret", PLACE).split(".")[1] == sealed.kid(NEW) != sealed.kid(OLD)


def test_a_key_that_is_gone_is_named(settings: Settings) -> None:
    use(settings, OLD)
    text = sealed.seal(b"a secret", PLACE)
    use(settings, NEW)
    with pytest.raises(errors.SealBroken, match=sealed.kid(OLD)):
        sealed.unseal(text, PLACE)


def test_without_settings_the_key_is_derived_and_dies_with_the_secret_key(
    settings: Settings,
) -> None:
    settings.ACCOUNTS = {}
    text = sealed.seal(b"a secret", PLACE)
    assert sealed.unseal(text, PLACE) == b"a secret"
    settings.SECRET_KEY = "another secret of the project, and long enough too"
    with pytest.raises(errors.SealBroken):
        sealed.unseal(text, PLACE)


def test_changing_the_secret_key_leaves_ciphertexts_alone(settings: Settings) -> None:
    text = sealed.seal(b"a secret", PLACE)
    settings.SECRET_KEY = "another secret of the project, and long enough too"
    assert sealed.unseal(text, PLACE) == b"a secret"


def test_a_broken_seal_is_our_fault_not_the_callers() -> None:
    assert errors.SealBroken("here").status == 500
