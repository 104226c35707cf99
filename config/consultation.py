"""All doctors asked at once, and what became of each, whatever hangs behind them.

Each installed app may have one: a module ``doctor`` whose ``examine()`` yields findings. No app
need know of another, or of this.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Protocol, cast
from urllib.parse import unquote, urlsplit

from django.apps import apps
from django.conf import settings
from django.db import connections
from django.utils.module_loading import module_has_submodule

from health.engine.direct import within

UNKNOWN = "unknown"


class Finding(Protocol):
    """``level`` is ok, warning or error."""

    @property
    def id(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def hint(self) -> str: ...


class Doctor(Protocol):
    def examine(self) -> Iterable[Finding]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A finding in the one report; its level is unknown where a doctor came to no end."""

    app: str
    id: str
    level: str
    message: str
    hint: str = ""


def consult(*, timeout: float) -> list[Entry]:
    """At most so many seconds; what was found until then counts."""
    names = dict(doctors())
    found: dict[str, list[Finding]] = {label: [] for label in names}
    calls = {label: partial(_ask, module, found[label]) for label, module in names.items()}
    silent = f"did not finish within {timeout:g} s"
    ends = dict.fromkeys(names, silent) | within(timeout, calls)
    return [entry for label in names for entry in _entries(label, [*found[label]], ends[label])]


def doctors() -> Iterator[tuple[str, str]]:
    """Label and module of each."""
    for app in apps.get_app_configs():
        if app.module and module_has_submodule(app.module, "doctor"):
            yield app.label, f"{app.name}.doctor"


def _ask(module: str, found: list[Finding]) -> str:
    """What went wrong, if anything did."""
    try:
        for finding in cast(Doctor, import_module(module)).examine():
            found.append(finding)  # seen at once, in case the next one hangs
    except Exception as error:  # the boundary: one app's trouble is not the others'
        # Not its text: that of a parser repeats what it read, a URL with its password perhaps.
        return f"failed: {type(error).__name__}"
    finally:
        for connection in connections.all(initialized_only=True):
            connection.close()
    return ""


def _entries(label: str, found: list[Finding], failure: str) -> Iterator[Entry]:
    for one in found:
        message, hint = concealed(one.message), concealed(one.hint)
        yield Entry(app=label, id=one.id, level=str(one.level), message=message, hint=hint)
    if failure:
        hint = "Mend what is wrong elsewhere, then ask again with a longer --timeout."
        told = f"The doctor of {label} {failure}."
        yield Entry(app=label, id=f"{label}.D000", level=UNKNOWN, message=told, hint=hint)


def concealed(text: str) -> str:
    """On one line, and without the passwords of databases and stores.

    The words of drivers are for operators, but a report is passed around.
    """
    line = " ".join(text.split())
    for password in _passwords():
        line = re.sub(rf"(?<!\w){re.escape(password)}(?!\w)", "***", line)
    return line


def _passwords() -> Iterator[str]:
    for database in settings.DATABASES.values():
        yield from filter(None, [database.get("PASSWORD")])
    for cache in settings.CACHES.values():
        places = cache.get("LOCATION", "")
        for place in [places] if isinstance(places, str) else places:
            given = urlsplit(place).password
            yield from filter(None, [given, given and unquote(given)])
