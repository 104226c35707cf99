import pytest

from locking import control, holders, lock

HALF = "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("stored", "meta"),
    [
        (b"", {}),
        (b'{"a":1}', {"a": 1}),
        (b'{"a":"k\\u00e4se \\ud83d\\ude00"}', {"a": "käse \N{GRINNING FACE}"}),
        (b'{"a":"x\\ud800"}', {"a": f"x{HALF}"}),
        (b'{"\\uDCE9":["\\udce9", 1]}', {HALF: [HALF, 1]}),
        (b'{"a":"\\\\ud800"}', {"a": "\\ud800"}),
        (b'{"a":"\xed\xa0\x80"}', {"a": HALF * 3}),
    ],
)
def test_what_is_told_of_a_holder_can_be_printed(stored: bytes, meta: object) -> None:
    assert holders.parse(7, 0, b"h:1:2:u", stored).meta == meta


def test_a_list_survives_half_a_character_that_is_in_the_store_already(store) -> None:
    with lock("odd"):
        channel, actor, _ = store.hget("lock:{odd}:l", "who").split(b" ", 2)
        store.hset("lock:{odd}:l", "who", b" ".join([channel, actor, b'{"a":"x\\ud800"}']))
        (row,) = control.held().rows
        assert row.holder.meta == {"a": f"x{HALF}"}
