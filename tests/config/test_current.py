import os
import random

from config.current import unique
from tests.locking.workers import forked


def test_ids_have_as_many_digits_as_are_asked_for() -> None:
    drawn = [unique(digits) for digits in (16, 32) for _ in range(200)]
    assert {len(found) for found in drawn} == {16, 32}
    assert len(set(drawn)) == 400
    assert set("".join(drawn)) <= set("0123456789abcdef")


def test_a_seed_of_somebody_else_brings_no_id_back() -> None:
    random.seed(1)
    first = unique(32)
    random.seed(1)
    assert unique(32) != first


def test_a_forked_child_draws_others() -> None:
    told, tell = os.pipe()

    def work() -> None:
        os.write(tell, unique(32).encode())

    assert forked(work) == 0
    assert os.read(told, 32).decode() != unique(32)
    os.close(told)
    os.close(tell)
