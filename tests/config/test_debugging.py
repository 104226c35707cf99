from django.test import RequestFactory
from django.views.debug import get_exception_reporter_filter
from pytest_django import Settings


def test_no_secret_of_the_settings_is_on_a_page_of_debug(
    rf: RequestFactory, settings: Settings
) -> None:
    settings.CACHES = {"default": {"LOCATION": "redis://:hunter2@cache.example/0"}}
    settings.ACCOUNTS = {"PEPPER": "hunter2", "SIGNING_KEYS": ["hunter2"]}
    settings.HEALTH = {"ALERTS": {"WEBHOOK_URL": "https://hooks.example/hunter2"}}
    shown = get_exception_reporter_filter(rf.get("/")).get_safe_settings()
    assert "hunter2" not in str(shown)
    assert shown["TIME_ZONE"] == "UTC"
