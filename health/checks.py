"""System checks of the ``HEALTH`` setting. E001 is a misspelt key, E002 a wrong value."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from .conf import Settings, conf
from .engine.directory import DirectoryRefused, inspect, runtime_directory
from .probes import Database, Probe
from .registry import built_in, imported
from .tokens import SHA256_HEX

KEYS = [field.name.upper() for field in fields(Settings)]
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
# What /health/… means besides services.
RESERVED = {"live", "ready", "startup", "detailed"}
# As many label values as a metric may have.
MOST_SERVICES = 32
WORDS = {"anonymous": {"words", "summary"}, "details": {"authorised", "always"}}
TYPES: dict[str, tuple[type, ...]] = {
    "SERVICES": (list, tuple, type(None)),
    "CRITICAL": (list, tuple, type(None)),
    "READY": (list, tuple),
    "INTERVALS": (dict,),
    "DEADLINES": (dict,),
    "PROBES": (list, tuple),
    "CACHE": (str,),
    "DISK": (str, os.PathLike),
    "SERVICE_ID": (str,),
    "RELEASE": (str,),
    "TOKENS": (list, tuple),
    "ALLOWED_CIDRS": (list, tuple),
    "ANONYMOUS": (str,),
    "DETAILS": (str,),
    "DRAIN_SECONDS": (int, float),
    "RUNTIME_DIR": (str, os.PathLike, type(None)),
    "ALERTS": (dict, type(None)),
    "HISTORY_DAYS": (int, float),
}


@register()
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    values = getattr(settings, "HEALTH", {})
    known = f"Known: {', '.join(KEYS)}."
    unknown = [
        _wrong(key, "there is no such setting", number=1, hint=known)
        for key in values
        if key not in KEYS
    ]
    mistyped = [
        _wrong(key, f"may not be of type {type(value).__name__}")
        for key, value in values.items()
        if key in TYPES and not isinstance(value, TYPES[key])
    ]
    return [*unknown, *mistyped] or list(_wrong_values(conf()))


@register(Tags.security, deploy=True)
def check_openness(**kwargs: Any) -> list[CheckMessage]:
    if getattr(settings, "HEALTH", {}).get("DETAILS") != "always":
        return []
    told = "HEALTH['DETAILS']: everybody sees hosts, circuits and metrics."
    return [Warning(told, id="health.W001")]


def _wrong_values(wanted: Settings) -> Iterator[CheckMessage]:
    yield from _access(wanted)
    yield from _services(wanted)
    yield from _seconds(wanted)
    yield from _directory()


def _access(wanted: Settings) -> Iterator[CheckMessage]:
    for key, words in WORDS.items():
        if getattr(wanted, key) not in words:
            yield _wrong(key.upper(), f"is one of {', '.join(sorted(words))}")
    for cidr in wanted.allowed_cidrs:
        try:
            ip_network(str(cidr))
        except ValueError as error:
            yield _wrong("ALLOWED_CIDRS", str(error), number=3)
    for position, digest in enumerate(wanted.tokens):
        if not SHA256_HEX.fullmatch(str(digest)):
            # Not repeated here: what is not a digest may be the token itself.
            yield _wrong("TOKENS", f"entry {position} is not a SHA-256 hex digest", number=4)


def _services(wanted: Settings) -> Iterator[CheckMessage]:
    own: list[Probe] = []
    for path in wanted.probes:
        try:
            own.append(imported(path))
        except Exception as error:  # whatever their code raises is what is wrong with it
            yield _wrong("PROBES", f"{path!r} makes no probe: {error}", number=7)
    given = list(built_in())
    yield from _own(own, {probe.name for probe in given})
    yield from _chosen(wanted, known={probe.name for probe in (*given, *own)})
    yield from _shared(wanted, [*given, *own])


def _own(probes: list[Probe], given: set[str]) -> Iterator[CheckMessage]:
    for probe in probes:
        if not NAME.fullmatch(probe.name):
            hint = f"Such as {NAME.pattern}."
            yield _wrong("PROBES", f"{probe.name!r} is no name for a service", number=8, hint=hint)
        elif probe.name in given | RESERVED:
            yield _wrong("PROBES", f"the name {probe.name!r} is taken", number=6)
    for (name, component), times in Counter((one.name, one.component) for one in probes).items():
        if times > 1:
            yield _wrong("PROBES", f"{name!r} has {component!r} {times} times", number=6)
    if (services := len(given | {probe.name for probe in probes})) > MOST_SERVICES:
        yield _wrong("PROBES", f"{services} services are more than {MOST_SERVICES}", number=9)


def _chosen(wanted: Settings, *, known: set[str]) -> Iterator[CheckMessage]:
    watched = known if wanted.services is None else known & set(wanted.services)
    for key, names, choice in (
        ("SERVICES", wanted.services or (), known),
        ("CRITICAL", wanted.critical or (), watched),
        # As it is by default, also where there is no database.
        ("READY", wanted.ready, watched | {Database.name}),
        ("INTERVALS", wanted.intervals, known),
        ("DEADLINES", wanted.deadlines, known),
    ):
        for name, times in Counter(list(names)).items():
            if name not in choice:
                hint = f"Known: {', '.join(sorted(choice))}."
                yield _wrong(key, f"there is no service {name!r}", number=5, hint=hint)
            elif times > 1:
                yield _wrong(key, f"names {name!r} {times} times", number=6)


def _shared(wanted: Settings, probes: list[Probe]) -> Iterator[CheckMessage]:
    """What all nodes see alike. To be silenced by those who want it all the same."""
    passive = {probe.name for probe in probes if probe.source == "passive"}
    for name in sorted(passive & set(wanted.ready)):
        yield _wrong("READY", f"{name!r} would take all nodes out at once", number=11)


def _seconds(wanted: Settings) -> Iterator[CheckMessage]:
    for key, durations in (("INTERVALS", wanted.intervals), ("DEADLINES", wanted.deadlines)):
        for name, seconds in durations.items():
            if not isinstance(seconds, int | float) or seconds <= 0:
                yield _wrong(key, f"{name!r} must be a number of seconds above 0")
    if wanted.drain_seconds < 0:
        yield _wrong("DRAIN_SECONDS", "must not be negative")


def _directory() -> Iterator[CheckMessage]:
    with suppress(FileNotFoundError):  # it is made at the start
        try:
            inspect(runtime_directory())
        except DirectoryRefused as error:
            yield _wrong("RUNTIME_DIR", str(error), number=10)


def _wrong(key: str, what: str, *, number: int = 2, hint: str = "") -> Error:
    return Error(f"HEALTH[{key!r}]: {what}.", hint=hint or None, id=f"health.E{number:03d}")
