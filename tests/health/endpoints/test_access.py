import pytest
from pytest_django import Settings

from health.endpoints.access import privileged


@pytest.fixture(autouse=True)
def loopback_only(settings: Settings) -> None:
    settings.HEALTH = {"ALLOWED_CIDRS": ["127.0.0.0/8", "::1/128"]}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_an_allowed_address_sees_details(address: str) -> None:
    assert privileged({"REMOTE_ADDR": address})


@pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::1", "", "nonsense"])
def test_any_other_address_does_not(address: str) -> None:
    assert not privileged({"REMOTE_ADDR": address})


def test_behind_a_proxy_that_nobody_named_the_address_says_nothing() -> None:
    assert not privileged({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9"})
