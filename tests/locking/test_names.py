import pytest
from hypothesis import given
from hypothesis import strategies as st

from locking import LockInvalid
from locking.names import Kind, canonical, from_key, keys, keys_of, kind, share_keys


def tag(name: str) -> str:
    return keys("lock", canonical(name))[0]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("render:42", "lock:{render:42}:l"),
        ("a b/c?d", "lock:{a b/c?d}:l"),
        ("}{%", "lock:{%7D%7B%25}:l"),
        ("\1\n\x7f", "lock:{%01%0A%7F}:l"),
        ("käse", "lock:{k%C3%A4se}:l"),
        ("ka\u0308se", "lock:{k%C3%A4se}:l"),
    ],
)
def test_a_name_becomes_a_key_that_any_cluster_and_terminal_can_take(name, key):
    assert tag(name) == key


def test_all_keys_of_a_lock_share_a_hash_tag():
    assert keys("p", "n") == ("p:{n}:l", "p:{n}:q", "p:{n}:w", "p:{n}:s", "p:idx")


@given(st.text(min_size=1, max_size=50))
def test_a_name_can_be_read_back_from_its_key(name):
    try:
        name = canonical(name)
    except LockInvalid:
        return
    key = keys("lock", name)[0]
    assert key.isascii()
    assert key.isprintable()
    assert key.count("{") == key.count("}") == 1
    assert from_key("lock", key) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "1 to 200 bytes, not 0"),
        ("x" * 201, "1 to 200 bytes, not 201"),
        ("ä" * 101, "1 to 200 bytes, not 202"),
        ("x" * 10_000, "1 to 200 bytes"),
        ("\ud800", "valid Unicode"),
        ("a\0b", "must not hold a NUL"),
        (None, "not NoneType"),
        (7, "not int"),
        (b"bytes", "not bytes"),
    ],
)
def test_what_cannot_be_a_name_is_refused(name, reason):
    with pytest.raises(LockInvalid, match=reason):
        canonical(name)


@pytest.mark.parametrize("shared", [Kind.RW, Kind.SEMAPHORE])
@pytest.mark.parametrize("name", ["n", "a}:rw:h", "rw:", "käse"])
def test_each_kind_has_keys_of_its_own_in_the_same_slot(name, shared):
    own, plain = share_keys("lock", shared, name), keys("lock", name)
    assert {*own} & {*plain} == {"lock:idx"}
    assert {key.partition("}")[0] for key in (*own[:-1], *plain[:-1])} == {plain[0][:-3]}
    assert [kind(own[0]), kind(plain[0])] == [shared, Kind.LOCK]
    assert [from_key("lock", found[0]) for found in (own, plain)] == [name, name]
    assert [keys_of(found[0]) for found in (own, plain)] == [own[:-1], plain[:-1]]
