"""What is taken from the product, how, and what has to be told of it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import psycopg

from tests.product import Product, until
from tests.servers import Valkey, postgres_url, scratch

PASSWORD = "tide and time"
About = tuple[str, str]


class Patient(Protocol):
    health: tuple[int, str]
    """Status and word of /health meanwhile."""
    alerts: set[About]
    """And what these are about: a service or a circuit."""

    def env(self) -> Mapping[str, str]: ...
    def fall(self, product: Product) -> None: ...
    def rise(self, product: Product) -> None: ...
    def stop(self) -> None: ...


class Redis:
    health = 200, "warn"
    alerts = {
        ("ServiceDegraded", name) for name in ("cache", "locks", "breakers", "accounts")
    }  # fmt: skip

    def __init__(self) -> None:
        self._server = Valkey(scratch())

    def env(self) -> Mapping[str, str]:
        return {"REDIS_URL": self._server.url}

    def fall(self, product: Product) -> None:
        self._server.stop()

    def rise(self, product: Product) -> None:
        self._server.restart()

    def stop(self) -> None:
        self._server.stop()


class Database:
    """PostgreSQL at the end of a path that can be taken away."""

    health = 503, "fail"
    alerts = {("ServiceCheckFailing", "database")}

    def __init__(self) -> None:
        self._server, self._name = postgres_url(), f"watched_{os.getpid()}"
        self._home = Path(parse_qs(urlsplit(self._server).query)["host"][0])
        self._path = scratch() / "postgres"
        self._path.symlink_to(self._home)
        self._execute(f"CREATE DATABASE {self._name}")

    def env(self) -> Mapping[str, str]:
        url = self._server.replace("/postgres?", f"/{self._name}?")
        return {"DATABASE_URL": url.replace(str(self._home), str(self._path))}

    def fall(self, product: Product) -> None:
        self._path.unlink()
        self._execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._name}'"
        )

    def rise(self, product: Product) -> None:
        self._path.symlink_to(self._home)

    def stop(self) -> None:
        pass

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(statement)


class Google:
    health = 200, "warn"
    alerts = {
        ("BreakerOpenLong", "vertex:us-central1:gemini-2.5-flash"),
        ("ServiceDegraded", "breakers"),
        ("ServiceDegraded", "google_vertex_ai"),
    }

    def env(self) -> Mapping[str, str]:
        return {}

    def fall(self, product: Product) -> None:
        product.fault("vertex", status=503)
        token = product.sign_in(PASSWORD)
        until(lambda: self._ask(product, token) == "circuit_open")

    def rise(self, product: Product) -> None:
        product.mend()
        token = product.sign_in(PASSWORD)
        until(lambda: self._ask(product, token) == "succeeded")

    def stop(self) -> None:
        pass

    def _ask(self, product: Product, token: str) -> str:
        told = product.generate(token, uuid4().hex, service="vertex").json
        return str(told.get("code") or told["status"])
