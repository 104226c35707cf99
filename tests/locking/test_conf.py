from dataclasses import asdict

import pytest
from django.conf import settings
from django.test import override_settings

from locking.conf import Settings, conf


@override_settings()
def test_without_settings_all_is_by_default() -> None:
    del settings.LOCKING
    assert asdict(conf()) == asdict(Settings())


def test_what_is_set_is_read_once() -> None:
    with override_settings(LOCKING={"LEASE": 5}):
        assert asdict(conf()) == asdict(Settings(lease=5))
        assert conf() is conf()


def test_an_override_ends_with_its_block() -> None:
    with override_settings(LOCKING={"LEASE": 5}):
        with override_settings(LOCKING={"LEASE": 6}):
            assert conf().lease == 6
        assert conf().lease == 5


def test_an_edit_in_place_is_seen() -> None:
    edited = {"LEASE": 5}
    with override_settings(LOCKING=edited):
        assert conf().lease == 5
        edited["LEASE"] = 6
        assert conf().lease == 6
        del edited["LEASE"]
        assert conf().lease == 30


def test_an_equal_value_of_another_type_is_not_taken_for_the_former() -> None:
    with override_settings(LOCKING={"LEASE": 1}):
        assert conf().lease == 1
    with override_settings(LOCKING={"LEASE": True}):
        assert conf().lease is True


def test_a_misspelt_key_is_refused_each_time() -> None:
    with override_settings(LOCKING={"LAESE": 5}):
        for _ in range(2):
            with pytest.raises(TypeError, match="laese"):
                conf()
