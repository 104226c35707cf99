"""What can be found out about all that tokens rest on."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone
from django_redis import get_redis_connection
from redis.connection import parse_url
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from . import blacklist
from .conf import conf
from .keyring import State
from .keys import ring
from .models import LoginSession, Refresh

T = TypeVar("T")
OVERDUE = timedelta(days=7)
"""How long rows may lie about after their end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    info: Mapping[str, Any] | None
    """None where the server does not let us look, as managed ones do."""
    alias: str = "accounts"
    sharing: tuple[str, ...] = ()
    """The caches in the same database."""
    timeout: float | None = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    offset: float = 0.0
    """The database's clock less ours, in seconds."""
    overdue: int = 0
    """Sessions that ended long ago in time."""
    astray: int = 0
    """Refresh tokens that simplejwt's tables take for something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    derived: bool = False
    states: Mapping[State, int] = field(default_factory=dict)
    endless: int = 0
    """Retired, and verify for ever."""
    over: int = 0
    """Retired, and verify nothing any more."""
    mode: int | None = None
    """Of the file that holds them; None without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    store: Store | str
    """Or why there is none."""
    rows: Rows | str
    keys: Keys


def gather() -> Facts:
    return Facts(store=_store(), rows=_rows(), keys=_keys(timezone.now()))


def _store() -> Store | str:
    alias = conf().cache
    try:
        client = get_redis_connection(alias)
        client.ping()
        return Store(
            info=_permitted(client.info),
            alias=alias,
            sharing=tuple(_sharing(alias)),
            timeout=client.connection_pool.connection_kwargs.get("socket_timeout"),
        )
    except NotImplementedError:
        return f"Cache {alias!r} is not a django-redis cache."
    except redis.RedisError as error:
        return f"The store does not answer: {error}"


def _permitted(ask: Callable[[], T]) -> T | None:
    """None for a refusal; a store that fell silent meanwhile still raises."""
    try:
        return ask()
    except redis.ResponseError:
        return None


def _sharing(alias: str) -> Iterator[str]:
    mine = _place(settings.CACHES[alias])
    for other, cache in settings.CACHES.items():
        if other != alias and "edis" in cache["BACKEND"] and _place(cache) == mine:
            yield other


def _place(cache: Mapping[str, Any]) -> Mapping[str, Any]:
    """Server and database, which ``clear()`` empties, and what else tells caches apart."""
    location = cache["LOCATION"]
    first = location.split(",")[0] if isinstance(location, str) else location[0]
    found = parse_url(first)  # type: ignore[no-untyped-call]
    told = {name: found[name] for name in found if name not in ("username", "password")}
    return {"port": 6379, "db": 0} | told


def _rows() -> Rows | str:
    now = timezone.now()
    try:
        return Rows(
            offset=_offset(),
            overdue=LoginSession.objects.filter(expires_at__lte=now - OVERDUE).count(),
            astray=_astray(now) if blacklist.installed() else 0,
        )
    except DatabaseError as error:
        return str(error).strip()


def _offset() -> float:
    if connection.vendor != "postgresql":
        return 0.0  # SQLite's clock is that of this process
    with connection.cursor() as cursor:
        before = time.time()
        cursor.execute("SELECT statement_timestamp()")
        (told,) = cursor.fetchone()
        after = time.time()
    return float(told.timestamp() - (before + after) / 2)


def _astray(now: datetime) -> int:
    usable = Refresh.objects.filter(
        used_at=None, session__revoked_at=None, session__expires_at__gt=now
    )
    listed = OutstandingToken.objects.filter(blacklistedtoken=None)
    return usable.exclude(pk__in=listed.values("jti")).count()


def _keys(now: datetime) -> Keys:
    held = list(ring().keys.values())
    retired = [key for key in held if key.state is State.RETIRED]
    file = conf().key_file
    return Keys(
        derived=not conf().signing_keys,
        states={state: sum(key.state is state for key in held) for state in State},
        endless=sum(key.at is None for key in retired),
        over=sum(not key.verifies(now) for key in retired),
        mode=file.stat().st_mode & 0o777 if file is not None and file.exists() else None,
    )
