"""What the machine gives the server: files, room for connections, a directory for counters."""

import os
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from health.findings import Finding

from .ward import ward

DAY = 86_400.0
OLDEST_SECRETS = 366
"""Days."""
MOST_METRIC_FILES = 2_000
FILES_PER_THREAD, FILES_ASIDE = 6, 64
"""A caller, the database and four stores; logs, libraries and probes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    secrets_age: float | None = 0.0
    """Days since the file of secrets was last written; None without one."""
    data_mode: int | None = 0o700
    """Of DATA_DIR; None where there is none."""
    files: float = 65_536
    """How many a process may have open."""
    threads: int = 32
    workers: int = 2
    metrics: Path | None = None
    """The directory of the counters that processes share."""
    metric_files: int | None = 0
    """None where they cannot be written."""


def examine() -> Iterator[Finding]:
    directory = settings.DATA_DIR
    metrics = _metrics(directory)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return judged(
        Facts(
            secrets_age=_age(directory / "secrets.env"),
            data_mode=directory.stat().st_mode & 0o777 if directory.exists() else None,
            files=float("inf") if soft == resource.RLIM_INFINITY else soft,
            threads=settings.THREADS,
            workers=settings.WORKERS,
            metrics=metrics,
            metric_files=_count(metrics) if metrics else 0,
        )
    )


def _metrics(directory: Path) -> Path | None:
    """``manage.py up`` puts it there, and tells only the server."""
    given = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    usual = directory / "metrics"
    return Path(given) if given else usual if usual.exists() else None


def _age(file: Path) -> float | None:
    return (time.time() - file.stat().st_mtime) / DAY if file.exists() else None


def _count(directory: Path) -> int | None:
    usable = directory.is_dir() and os.access(directory, os.W_OK | os.X_OK)
    return sum(1 for _ in directory.glob("*.db")) if usable else None


def judged(facts: Facts) -> Iterator[Finding]:
    for judge in (secrets, data, files, metrics):
        yield judge(facts)


def secrets(facts: Facts) -> Finding:
    if facts.secrets_age is None:
        return ward.ok(5, "Secrets come from the environment; their age is not known here.")
    days = f"{facts.secrets_age:.0f} days ago"
    if facts.secrets_age > OLDEST_SECRETS:
        hint = "Renew them: `accounts rotate-keys`, and a new first key in ENCRYPTION_KEYS."
        return ward.warning(5, f"The file of secrets was last written {days}.", hint)
    return ward.ok(5, f"The file of secrets was last written {days}.")


def data(facts: Facts) -> Finding:
    if facts.data_mode is None:
        return ward.ok(6, "There is no DATA_DIR.")
    if facts.data_mode & 0o022:
        return ward.error(6, "Others may write to DATA_DIR.", "chmod 700 it: stores live there.")
    return ward.ok(6, "Only its owner writes to DATA_DIR.")


def files(facts: Facts) -> Finding:
    wanted = facts.threads * FILES_PER_THREAD + FILES_ASIDE
    if facts.files < wanted:
        hint = f"Raise it (ulimit -n) above {wanted}, or lower THREADS."
        return ward.warning(7, f"A process may have {facts.files:.0f} files open.", hint)
    return ward.ok(7, f"There are files enough for THREADS={facts.threads}.")


def metrics(facts: Facts) -> Finding:
    if facts.metrics is None:
        return ward.ok(8, "No server here shares its counters; `manage.py up` has its own do so.")
    if facts.metric_files is None:
        hint = "Make PROMETHEUS_MULTIPROC_DIR a directory that the server may write to."
        return ward.error(8, "The processes cannot share their counters.", hint)
    if facts.metric_files > MOST_METRIC_FILES:
        hint = "Empty PROMETHEUS_MULTIPROC_DIR before the server starts: each scrape reads all."
        return ward.warning(8, f"{facts.metric_files} files hold counters.", hint)
    return ward.ok(8, f"{facts.metric_files} files hold the counters of the processes.")
