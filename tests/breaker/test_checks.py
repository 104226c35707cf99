from typing import Any

import pytest
from pytest_django.fixtures import Settings

from breaker import PolicyError, circuit_breaker, get_breaker
from breaker.checks import check_settings
from breaker.conf import conf


@pytest.mark.parametrize(
    ("given", "problem", "names"),
    [
        ({"CACHE": "breaker"}, None, ""),
        ({"OPEN_TIMEOUT": 30, "FAILURE_THRESHOLD": 3, "CACHE": "breaker"}, None, ""),
        ({"OPEN_TIMEOUTS": 30}, "breaker.E001", "OPEN_TIMEOUTS"),
        ({"POLICY": {}}, "breaker.E001", "POLICY"),
        ({"HISTORY": "yes"}, "breaker.E002", "BREAKER['HISTORY']"),
        ({"ERROR_DETAIL": "no"}, "breaker.E002", "BREAKER['ERROR_DETAIL']"),
        ({"ERROR_DETAIL": False}, None, ""),
        ({"CACHE": None}, "breaker.E002", "BREAKER['CACHE']"),
        ({"HOST": ""}, "breaker.E002", "BREAKER['HOST']"),
        ({"HOST": "h" * 256}, "breaker.E002", "BREAKER['HOST']"),
        ({"HOST": "a\nb"}, "breaker.E002", "BREAKER['HOST']"),
        ({"NAMESPACE": ""}, "breaker.E002", "BREAKER['NAMESPACE']"),
        ({"NAMESPACE": "a}b"}, "breaker.E002", "braces"),
        ({"MAX_KEYED": 0}, "breaker.E002", "BREAKER['MAX_KEYED']"),
        ({"MAX_KEYED": -1}, "breaker.E002", "BREAKER['MAX_KEYED']"),
        ({"MAX_KEYED": True}, "breaker.E002", "BREAKER['MAX_KEYED']"),
        ({"MAX_KEYED": "1000"}, "breaker.E002", "BREAKER['MAX_KEYED']"),
        ({"MAX_KEYED": 1}, None, ""),
        ({"OPEN_TIMEOUT": 0}, "breaker.E003", "BREAKER['OPEN_TIMEOUT']"),
        ({"FAILURE_THRESHOLD": -1}, "breaker.E003", "BREAKER['FAILURE_THRESHOLD']"),
        ({"TRIP_QUORUM": 0}, "breaker.E003", "BREAKER['TRIP_QUORUM']"),
        ({"CONSECUTIVE": "no"}, "breaker.E003", "BREAKER['CONSECUTIVE']"),
        ({"SLOW_CALL_SECONDS": -1}, "breaker.E003", "BREAKER['SLOW_CALL_SECONDS']"),
        ({"SLOW_RATE": 2}, "breaker.E003", "BREAKER['SLOW_RATE']"),
        ({"JITTER": 2}, "breaker.E003", "BREAKER['JITTER']"),
        ({"HALF_OPEN_TIMEOUT": 0}, "breaker.E003", "BREAKER['HALF_OPEN_TIMEOUT']"),
        ({"ON_STORE_ERROR": "allowed"}, "breaker.E003", "BREAKER['ON_STORE_ERROR']"),
        ({"ON_STORE_ERROR": "allow"}, None, ""),
        ({"MAX_OPEN_TIMEOUT": 30}, "breaker.E003", "MAX_OPEN_TIMEOUT and OPEN_TIMEOUT"),
        ({"MAX_OPEN_TIMEOUT": 30, "OPEN_TIMEOUT": 20}, None, ""),
        (
            {"CONSECUTIVE": True, "FAILURE_RATE": 0.5},
            "breaker.E003",
            "CONSECUTIVE and FAILURE_RATE",
        ),
        ({"CACHE": "nowhere"}, "breaker.E004", "nowhere"),
        ({"CACHE": "memory"}, "breaker.W001", "memory"),
    ],
    ids=repr,
)
def test_settings_are_checked_by_name(
    settings: Settings, given: dict[str, Any], problem: str | None, names: str
) -> None:
    memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    settings.CACHES = {**settings.CACHES, "memory": memory}
    settings.BREAKER = {"CACHE": "breaker", **given}
    assert [message.id for message in check_settings()] == ([problem] if problem else [])
    assert all(names in message.msg for message in check_settings())


@pytest.mark.parametrize(
    ("cache", "told"),
    [
        ({}, True),
        ({"OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 1}}, True),
        ({"OPTIONS": {"SOCKET_TIMEOUT": None}}, True),
        ({"OPTIONS": {"SOCKET_TIMEOUT": 0.05}}, False),
        ({"OPTIONS": {"CONNECTION_POOL_KWARGS": {"socket_timeout": 0.05}}}, False),
        ({"LOCATION": "redis://localhost/1?socket_timeout=0.05"}, False),
    ],
    ids=repr,
)
def test_a_store_that_may_keep_callers_waiting_is_told(
    settings: Settings, cache: dict[str, Any], told: bool
) -> None:
    store = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://localhost/1"}
    settings.CACHES = {**settings.CACHES, "patient": {**store, **cache}}
    settings.BREAKER = {"CACHE": "patient"}
    assert [message.id for message in check_settings()] == ["breaker.W002"] * told
    assert all("SOCKET_TIMEOUT" in message.msg for message in check_settings())


def test_every_wrong_key_is_told_at_once(settings: Settings) -> None:
    settings.BREAKER = {"WINDOW": 0, "OPEN_TIMEOUT": -1, "HOST": "", "OPEN_TIMEOUTS": 1}
    assert [(message.id, message.msg.split("'")[1]) for message in check_settings()] == [
        ("breaker.E001", "OPEN_TIMEOUTS"),
        ("breaker.E002", "HOST"),
        ("breaker.E003", "OPEN_TIMEOUT"),
        ("breaker.E003", "WINDOW"),
    ]


@pytest.mark.parametrize("setting", [None, "breaker", ["CACHE"], 5, ()], ids=repr)
def test_a_setting_that_is_no_dict_is_told(settings: Settings, setting: Any) -> None:
    settings.BREAKER = setting
    (message,) = check_settings()
    assert (message.id, message.msg) == ("breaker.E002", "BREAKER must be a dict.")
    circuit_breaker("imported", window=30)(len)
    with pytest.raises(TypeError, match="BREAKER must be a dict"):
        conf()


@pytest.mark.parametrize("key", [5, None, b"CACHE", ("CACHE",)], ids=repr)
def test_keys_that_are_no_text_are_told(settings: Settings, key: Any) -> None:
    settings.BREAKER = {"OPEN_TIMEOUTS": 1, key: "default", "WINDOW": 30}
    messages = check_settings()
    assert [message.id for message in messages] == ["breaker.E001", "breaker.E001"]
    assert any(repr(key).upper() in message.msg for message in messages)
    circuit_breaker("imported", window=30)(len)
    with pytest.raises(TypeError):
        conf()


def test_every_setting_may_be_left_out(settings: Settings) -> None:
    del settings.BREAKER
    assert (conf().cache, conf().namespace, conf().history) == ("default", "breaker", True)


def test_the_setting_is_the_default_of_every_option(settings: Settings) -> None:
    settings.BREAKER = {**settings.BREAKER, "FAILURE_THRESHOLD": 2, "OPEN_TIMEOUT": 30}
    policy = get_breaker("mine", open_timeout=7).replica.policy
    assert (policy.failure_threshold, policy.open_timeout, policy.window) == (2, 7, 60)


def test_a_setting_that_comes_to_contradict_an_option_is_met_before_the_call(
    settings: Settings,
) -> None:
    breaker = get_breaker("contradicted", max_open_timeout=60)
    settings.BREAKER = {**settings.BREAKER, "OPEN_TIMEOUT": 90}
    with pytest.raises(PolicyError, match="max_open_timeout"):
        breaker.call(pytest.fail)
