from pytest_django.fixtures import Settings

from health import registry


def names() -> list[str]:
    return [probe.name for probe in registry.probes()]


def test_the_settings_select_and_tune(settings: Settings) -> None:
    settings.HEALTH = {
        "SERVICES": ["cache"],
        "INTERVALS": {"cache": 30},
        "DEADLINES": {"cache": 0.2},
    }
    [probe] = registry.probes()
    assert (probe.name, probe.interval, probe.deadline) == ("cache", 30, 0.2)


def test_each_database_is_a_check_of_its_own(settings: Settings) -> None:
    settings.HEALTH = {"SERVICES": ["database"]}
    settings.DATABASES["replica"] = settings.DATABASES["default"]
    try:
        assert [probe.component for probe in registry.probes()] == ["default", "replica"]
    finally:
        del settings.DATABASES["replica"]


def test_a_cache_in_this_process_needs_no_probe(settings: Settings) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    settings.HEALTH = {"SERVICES": ["cache"]}
    assert names() == []
