"""The probes of this project: what its settings name and its installed apps bring."""

from collections.abc import Iterator

from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string

from . import contrib
from .conf import conf
from .probes import Cache, Database, Disk, Migrations, Probe


def probes() -> list[Probe]:
    """Those that ``HEALTH`` selects, with its intervals and deadlines."""
    wanted = conf()
    return [
        _tuned(probe)
        for probe in available()
        if wanted.services is None or probe.name in wanted.services
    ]


def available() -> Iterator[Probe]:
    yield from built_in()
    for path in conf().probes:
        yield imported(path)


def built_in() -> Iterator[Probe]:
    databases = [
        alias
        for alias, database in connections.settings.items()
        if database["ENGINE"] != "django.db.backends.dummy"
    ]
    yield from map(Database, databases)
    if databases:
        yield Migrations()
    cache = conf().cache
    if settings.CACHES.get(cache, {}).get("BACKEND") == "django_redis.cache.RedisCache":
        yield Cache(cache)
    if conf().disk:
        yield Disk(conf().disk)
    for contribution in contrib.installed():
        yield from contribution.probes()


def imported(path: str) -> Probe:
    """Raises whatever that code raises, and TypeError for what is no probe."""
    probe = import_string(path)()
    if not isinstance(probe, Probe):
        raise TypeError(f"{path} made {type(probe).__name__}, not a health.Probe")
    return probe


def _tuned(probe: Probe) -> Probe:
    wanted = conf()
    probe.interval = wanted.intervals.get(probe.name, probe.interval)
    probe.deadline = wanted.deadlines.get(probe.name, probe.deadline)
    if wanted.critical is not None:
        probe.critical = probe.name in wanted.critical
    return probe
