"""What a probe is, and the two that every project has: its databases and its cache."""

import copy
import socket
from abc import ABC, abstractmethod
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.utils import load_backend
from django_redis.pool import get_connection_factory
from redis.backoff import NoBackoff
from redis.retry import Retry

from .verdict import CheckResult, Reason, Status


class Probe(ABC):
    """One question to one dependency. ``run`` may raise: that is a failure with its reason.

    ``interval`` and ``deadline`` are seconds. A run gets a thread of its own and is given up,
    not stopped, at its deadline; so set the client's own timeouts below it.
    """

    name: str
    component: str = "default"
    kind: str = "component"
    source: str = "active"
    critical: bool = False
    interval: float = 5.0
    deadline: float = 1.0

    @abstractmethod
    def run(self) -> CheckResult: ...


class Database(Probe):
    """A connection of its own, so that neither the pool nor a request's transaction is involved."""

    name = "database"
    kind = "datastore"
    critical = True
    deadline = 2.5

    # Two seconds is the least that libpq honours as connect_timeout, and its default is for ever.
    LIMITS: dict[str, dict[str, Any]] = {
        "postgresql": {"connect_timeout": 2, "tcp_user_timeout": 2000},
        "mysql": {"connect_timeout": 2, "read_timeout": 1, "write_timeout": 1},
        "sqlite": {"timeout": 1},
    }
    # SQLite answers SELECT 1 without opening its file.
    QUERIES = {"sqlite": "SELECT 1 FROM sqlite_master LIMIT 1"}

    def __init__(self, alias: str) -> None:
        self.component = alias

    def run(self) -> CheckResult:
        database = copy.deepcopy(connections.settings[self.component])
        wrapper = load_backend(database["ENGINE"]).DatabaseWrapper
        options = database["OPTIONS"]
        options.pop("pool", None)
        options.update(self.LIMITS.get(wrapper.vendor, {}))
        if wrapper.vendor == "postgresql":
            options["options"] = f"{options.get('options', '')} -c statement_timeout=1000".strip()
        connection = wrapper(database, self.component)
        try:
            with connection.cursor() as cursor:
                cursor.execute(self.QUERIES.get(wrapper.vendor, "SELECT 1"))
                cursor.fetchone()
        finally:
            connection.close()
        return CheckResult(Status.PASS)


class Cache(Probe):
    """Writes, reads and deletes: a PING alone passes on a full or read-only server."""

    name = "cache"
    kind = "datastore"
    deadline = 0.7

    SOCKET_SECONDS = 0.3

    def __init__(self, alias: str) -> None:
        self.component = alias

    def run(self) -> CheckResult:
        factory = get_connection_factory(options=self._options())
        pool = factory.get_connection_pool(factory.make_connection_params(self._url()))
        client = factory.redis_client_cls(connection_pool=pool)
        prefix = settings.CACHES[self.component].get("KEY_PREFIX", "")
        key = f"{prefix}:health:{socket.gethostname()}"
        try:
            client.set(key, "1", ex=60)
            kept = client.get(key)
            client.delete(key)
        finally:
            pool.disconnect()
        return CheckResult(Status.PASS) if kept else CheckResult(Status.FAIL, Reason.ERROR)

    def _url(self) -> str:
        """The primary: django-redis takes one URL, a comma list or a list, primary first."""
        location: str | list[str] = settings.CACHES[self.component]["LOCATION"]
        return location.split(",")[0] if isinstance(location, str) else location[0]

    def _options(self) -> dict[str, Any]:
        options = settings.CACHES[self.component].get("OPTIONS", {})
        return {
            **options,
            "SOCKET_TIMEOUT": self.SOCKET_SECONDS,
            "SOCKET_CONNECT_TIMEOUT": self.SOCKET_SECONDS,
            "CONNECTION_POOL_KWARGS": {
                **options.get("CONNECTION_POOL_KWARGS", {}),
                "retry": Retry(NoBackoff(), 0),
            },
        }
