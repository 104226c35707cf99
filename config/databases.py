"""The ``DATABASES`` setting, with what each kind of database needs to serve many at once."""

from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

SQLITE, POSTGRES = "django.db.backends.sqlite3", "django.db.backends.postgresql"


def databases(url: str, data_dir: Path, *, threads: int) -> dict[str, dict[str, Any]]:
    """SQLite in ``data_dir`` where no URL is given; ``threads`` of one process share a pool."""
    found = _database(url, data_dir)
    if found["ENGINE"] == SQLITE:
        found["CONN_MAX_AGE"] = 60
        found["OPTIONS"] = {
            # A transaction that starts by reading and then writes cannot wait for its turn in
            # SQLite's default mode: it fails at once with "database is locked".
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
    else:
        found.setdefault("OPTIONS", {}).update(
            pool={"min_size": 1, "max_size": threads + 4, "timeout": 5},
            connect_timeout=3,
            tcp_user_timeout=5000,
        )
    return {"default": found}


def _database(url: str, data_dir: Path) -> dict[str, Any]:
    if not url:
        return {"ENGINE": SQLITE, "NAME": str(data_dir / "db.sqlite3")}
    try:
        found: dict[str, Any] = environ.Env.db_url_config(url)
    except Exception:  # the parser raises whatever it stumbles over
        found = {}
    if found.get("ENGINE") not in (SQLITE, POSTGRES):
        raise ImproperlyConfigured(
            "DATABASE_URL must be postgresql://user:password@host:port/name or sqlite:///path"
        )
    return found
