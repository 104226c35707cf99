"""The probes of this project: what its settings name and its installed apps bring."""

from collections.abc import Iterator

from django.conf import settings
from django.db import connections

from . import contrib
from .conf import conf
from .probes import Cache, Database, Probe


def probes() -> list[Probe]:
    """Those that ``HEALTH`` selects, with its intervals and deadlines."""
    wanted = conf()
    return [
        _tuned(probe)
        for probe in available()
        if wanted.services is None or probe.name in wanted.services
    ]


def available() -> Iterator[Probe]:
    for alias, database in connections.settings.items():
        if database["ENGINE"] != "django.db.backends.dummy":
            yield Database(alias)
    cache = conf().cache
    if settings.CACHES.get(cache, {}).get("BACKEND") == "django_redis.cache.RedisCache":
        yield Cache(cache)
    for contribution in contrib.installed():
        yield from contribution.probes()


def _tuned(probe: Probe) -> Probe:
    probe.interval = conf().intervals.get(probe.name, probe.interval)
    probe.deadline = conf().deadlines.get(probe.name, probe.deadline)
    return probe
