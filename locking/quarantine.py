"""No grants for a while after the store lost its data.

Whoever held a lock then may still be at work, and the store knows nothing of it. So the database
keeps a word that the store has a copy of. A script that finds the copy missing, or another word,
writes it down anew and grants nothing until as many seconds have passed as leases last; then all
leases from before have ended. What the store lost without losing the word, as with a backup or a
replica that lagged behind, is not noticed: against that there are fences.
"""

import asyncio
import os
from typing import Any

from django.core.signals import setting_changed
from django.db import DatabaseError, transaction
from django.db import connections as databases
from django.dispatch import receiver

from . import connections, names, scripts
from .attempts import Guard
from .conf import Settings
from .durations import seconds
from .errors import LockUnavailable
from .steps import Run

_words: dict[tuple[str, str], str] = {}


def guard(settings: Settings) -> Guard:
    """Raises LockUnavailable if the database, or the store for the first word, does not answer."""
    place = settings.cache, settings.prefix
    if place not in _words:
        try:
            _words[place] = _agreed(*place)
        except DatabaseError as error:
            raise LockUnavailable from error
    return _guard(settings, _words[place])


async def aguard(settings: Settings) -> Guard:
    word = _words.get((settings.cache, settings.prefix))
    return _guard(settings, word) if word else await asyncio.to_thread(_guard_here, settings)


def _guard_here(settings: Settings) -> Guard:
    try:
        return guard(settings)
    finally:
        # Nobody else would, in a thread that comes and goes.
        databases.close_all()


def _guard(settings: Settings, word: str) -> Guard:
    ms = round(seconds("quarantine", settings.quarantine) * 1000)
    return Guard(names.epoch(settings.prefix), word, ms)


def _agreed(alias: str, prefix: str) -> str:
    """The database's word. Before its first there was nothing to lose: the store has it first."""
    from .models import StoreEpoch

    name = f"{alias}:{prefix}"
    found = StoreEpoch.objects.filter(name=name).values_list("word", flat=True).first()
    if found is not None:
        return found
    line = connections.line(alias)
    try:
        word = line.run(
            Run(scripts.EPOCH, (names.epoch(prefix),), (os.urandom(8).hex(),), whole=True)
        )
    finally:
        line.hang_up()
    with transaction.atomic():
        row, _ = StoreEpoch.objects.get_or_create(name=name, defaults={"word": word.decode()})
    return row.word


@receiver(setting_changed)
def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting in ("CACHES", "LOCKING", "DATABASES"):
        _words.clear()
