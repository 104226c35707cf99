from typing import Any

import pytest
from pytest_django.fixtures import Settings

from breaker import PolicyError, get_breaker
from breaker.checks import check_settings
from breaker.conf import conf


@pytest.mark.parametrize(
    ("given", "problem", "names"),
    [
        ({"CACHE": "breaker"}, None, ""),
        ({"OPEN_TIMEOUT": 30, "FAILURE_THRESHOLD": 3, "CACHE": "breaker"}, None, ""),
        ({"OPEN_TIMEOUTS": 30}, "breaker.E001", "OPEN_TIMEOUTS"),
        ({"POLICY": {}}, "breaker.E001", "POLICY"),
        ({"HISTORY": "yes"}, "breaker.E002", "HISTORY"),
        ({"CACHE": None}, "breaker.E002", "CACHE"),
        ({"OPEN_TIMEOUT": 0}, "breaker.E003", "open_timeout"),
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
    settings.BREAKER = given
    assert [message.id for message in check_settings()] == ([problem] if problem else [])
    assert all(names in message.msg for message in check_settings())


def test_every_setting_may_be_left_out(settings: Settings) -> None:
    del settings.BREAKER
    assert (conf().cache, conf().namespace, conf().history) == ("default", "breaker", True)


def test_the_setting_is_the_default_of_every_option(settings: Settings) -> None:
    settings.BREAKER = {**settings.BREAKER, "FAILURE_THRESHOLD": 2, "OPEN_TIMEOUT": 30}
    policy = get_breaker("mine", open_timeout=7).replica.policy
    assert (policy.failure_threshold, policy.open_timeout, policy.window) == (2, 7, 60)


def test_an_option_that_contradicts_the_setting_is_refused_before_the_call(
    settings: Settings,
) -> None:
    settings.BREAKER = {**settings.BREAKER, "OPEN_TIMEOUT": 90}
    with pytest.raises(PolicyError, match="max_open_timeout"):
        get_breaker("contradicts", max_open_timeout=60).call(pytest.fail)
