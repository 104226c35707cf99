from pytest_django.fixtures import Settings

from health import CheckResult, Probe, Status, registry


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


def test_the_settings_say_what_is_critical(settings: Settings) -> None:
    settings.HEALTH = {"SERVICES": ["database", "cache"]}
    assert [probe.critical for probe in registry.probes()] == [True, False]
    settings.HEALTH = {"SERVICES": ["database", "cache"], "CRITICAL": ["cache"]}
    assert [probe.critical for probe in registry.probes()] == [False, True]


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


def test_own_probes_come_after_those_of_the_project(settings: Settings) -> None:
    settings.HEALTH = {
        "PROBES": ["tests.health.test_registry.Partner"],
        "SERVICES": ["partner", "cache"],
        "INTERVALS": {"partner": 60},
    }
    assert [(probe.name, probe.interval) for probe in registry.probes()] == [
        ("cache", 5.0),
        ("partner", 60),
    ]


class Partner(Probe):
    name = "partner"

    def run(self) -> CheckResult:
        return CheckResult(Status.PASS)


def test_the_disk_is_watched_where_one_is_named(settings: Settings) -> None:
    settings.HEALTH = {"SERVICES": ["disk"]}
    assert names() == []
    settings.HEALTH = {"SERVICES": ["disk"], "DISK": "/"}
    assert names() == ["disk"]
