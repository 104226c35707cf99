"""What a host remembers by itself: it must not ask the database whether the database is down.

One file in the runtime directory, replaced as a whole, written by the process that leads alone.
"""

import json
import logging
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from health.engine.directory import DirectoryRefused, prepare, runtime_directory
from health.engine.files import Refused, read_own, replace_file

from .history import Transition
from .mutes import Silence
from .states import Labels, Record, State, Told, Word

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notebook:
    records: tuple[Record, ...] = ()
    silences: tuple[Silence, ...] = ()
    unwritten: tuple[Transition, ...] = ()


class Memory:
    """Without a directory that can be trusted it lasts as long as the process."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._written = Notebook()

    @classmethod
    def of_this_host(cls) -> "Memory":
        try:
            return cls(prepare(runtime_directory()) / "alerts")
        except DirectoryRefused:  # the engine has said so
            return cls(None)

    def recall(self) -> Notebook:
        if self.path is None:
            return Notebook()
        try:
            self._written = _load(read_own(self.path))
        except FileNotFoundError:
            pass
        except (OSError, Refused, ValueError, TypeError, KeyError) as error:
            logger.warning("What this host knew of its alerts cannot be read: %r", error)
        return self._written

    def keep(self, notebook: Notebook) -> None:
        if self.path is None or notebook == self._written:
            return
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            replace_file(draft, self.path, _dump(notebook))
        except OSError as error:
            logger.warning("What this host knows of its alerts cannot be kept: %r", error)
        else:
            self._written = notebook


def _dump(notebook: Notebook) -> bytes:
    return json.dumps(asdict(notebook), separators=(",", ":")).encode()


def _load(data: bytes) -> Notebook:
    document = json.loads(data)
    return Notebook(
        records=_each(_record, document["records"]),
        silences=_each(lambda row: Silence(**row), document["silences"]),
        unwritten=_each(lambda row: Transition(**row), document["unwritten"]),
    )


def _each(make: Any, rows: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(make(row) for row in rows)


def _record(row: dict[str, Any]) -> Record:
    told = {
        name: Told(Word(one["word"]), one["at"], one["sure"]) for name, one in row["told"].items()
    }
    return Record(
        **row | {"labels": Labels(**row["labels"]), "state": State(row["state"]), "told": told}
    )
