"""The directory in which the processes of one host meet: private, or not used at all."""

import os
import stat
from pathlib import Path
from tempfile import gettempdir

from django.utils.crypto import salted_hmac

from health.conf import conf


class DirectoryRefused(Exception):
    """Says in words why a runtime directory is not trusted."""


def runtime_directory() -> Path:
    """That of the setting, else one whose name no other user of this machine can foresee."""
    if chosen := conf().runtime_dir:
        return Path(chosen)
    project = os.environ.get("DJANGO_SETTINGS_MODULE", "")
    name = salted_hmac("health.directory", project, algorithm="sha256").hexdigest()[:16]
    return Path(gettempdir()) / f"health-{os.geteuid()}-{name}"


def prepare(directory: Path) -> Path:
    """Make it where it is missing. Raises DirectoryRefused."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DirectoryRefused(f"{directory} cannot be made: {error.strerror}") from None
    inspect(directory)
    return directory


def inspect(directory: Path) -> None:
    """Who may write here decides what every process of the host answers.

    Raises DirectoryRefused, and FileNotFoundError where there is nothing yet.
    """
    try:
        found = directory.lstat()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DirectoryRefused(f"{directory} cannot be seen: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode):
        raise DirectoryRefused(f"{directory} is not a directory")
    if found.st_uid != os.geteuid():
        raise DirectoryRefused(f"{directory} belongs to another user")
    if found.st_mode & 0o077:
        raise DirectoryRefused(f"{directory} is open to other users; its mode must be 0700")
