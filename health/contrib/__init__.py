"""What health knows of its siblings: one module each, loaded where that sibling is installed."""

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Protocol, cast

from django.apps import apps
from prometheus_client.core import Metric

from health.engine.snapshot import Snapshot
from health.operations.panels import Panel
from health.probes import Probe

SIBLINGS = {
    "locking": "health.contrib.locking",
    "breaker": "health.contrib.breaker",
    "breaker.contrib.google": "health.contrib.google",
    "accounts": "health.contrib.accounts",
}
# On the operations page, from left to right and down.
PANELS = {
    "breaker": "health.contrib.breaker_panel",
    "locking": "health.contrib.locking_panel",
    "accounts": "health.contrib.accounts_panel",
}


class Contribution(Protocol):
    def connect(self) -> None:
        """Subscribe to what should hurry a check."""

    def probes(self) -> Iterable[Probe]: ...

    def metrics(self, snapshot: Snapshot) -> Iterable[Metric]:
        """Read from the snapshot; a scrape does no I/O."""
        ...


def installed() -> Iterator[Contribution]:
    for app, module in SIBLINGS.items():
        if apps.is_installed(app):
            yield cast(Contribution, import_module(module))


class Shown(Protocol):
    def panel(self) -> Panel: ...


def panels() -> Iterator[Panel]:
    for app, module in PANELS.items():
        if apps.is_installed(app):
            yield cast(Shown, import_module(module)).panel()
