"""``TOKEN_SIGNING_KEYS`` where a deployment keeps it, changed in one step or not at all."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from . import keyring
from .keyring import Key

NAME = "TOKEN_SIGNING_KEYS"
Change = Callable[[tuple[Key, ...]], tuple[Key, ...]]


class HeldElsewhere(Exception):
    """Something other than the file decides which keys there are."""


def change(file: Path | None, change: Change) -> tuple[Key, ...]:
    """The keys after the change. Raises HeldElsewhere, or what ``change`` raises."""
    if file is None or not file.exists():
        raise HeldElsewhere
    with _alone(file.parent):
        lines = file.read_text().splitlines()
        place = next((n for n, line in enumerate(lines) if line.startswith(f"{NAME}=")), None)
        # Settings read the file into the environment, which wins where they differ.
        if place is None or _value(lines[place]) != os.environ.get(NAME, _value(lines[place])):
            raise HeldElsewhere
        keys = change(keyring.parse(_value(lines[place])))
        lines[place] = f"{NAME}={keyring.text(keys)}"
        _replace(file, "".join(f"{line}\n" for line in lines))
    return keys


def _value(line: str) -> str:
    return line.partition("=")[2].strip().strip("'\"")


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _replace(file: Path, text: str) -> None:
    """As its owner alone may read it, at every moment."""
    new = file.with_name(f"{file.name}.rotated")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(handle)
    new.replace(file)
