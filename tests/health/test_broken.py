"""The started product while each of its dependencies is really broken, and while it is asked
what nobody should ask."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.servers import Valkey, postgres_url, scratch

from .conftest import eventually
from .door import Door
from .servers import Site

# It is worth a run on either database.
pytestmark = [pytest.mark.live, pytest.mark.django_db]


class Breakable(Protocol):
    url: str
    reason: str
    """What is told of it while it is broken."""

    def shatter(self) -> None: ...
    def mend(self) -> None: ...


class File:
    """SQLite, which has no server that could hang: something else is where its file was."""

    reason = "error"

    def __init__(self, directory: Path) -> None:
        self.path = directory / "site.sqlite3"
        self.url = f"sqlite:///{self.path}"

    def shatter(self) -> None:
        self.path.rename(self.path.with_suffix(".kept"))
        self.path.mkdir()

    def mend(self) -> None:
        self.path.rmdir()
        self.path.with_suffix(".kept").rename(self.path)


class Server:
    """PostgreSQL behind a door, where nobody answers any more."""

    reason = "timeout"

    def __init__(self) -> None:
        parts = urlsplit(postgres_url())
        directory = parse_qs(parts.query)["host"][0]
        self.door = Door(f"{directory}/.s.PGSQL.5432")
        self.url = f"postgres://postgres:@127.0.0.1:{self.door.port}/postgres"

    def shatter(self) -> None:
        self.door.silence()

    def mend(self) -> None:
        self.door.open()


@pytest.fixture(scope="module")
def database() -> Iterator[Breakable]:
    """One that nothing has been migrated to: health is a matter of its own."""
    if os.environ.get("TEST_DATABASE") != "postgres":
        yield File(scratch())
        return
    server = Server()
    yield server
    server.door.close()


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    server = Valkey(scratch())
    yield server
    server.stop()


@pytest.fixture(scope="module")
def simulator() -> Iterator[Door]:
    """Where calls of Google would go; nobody calls."""
    door = Door("/nowhere")
    door.silence()
    yield door
    door.close()


@pytest.fixture(scope="module")
def site(database: Breakable, valkey: Valkey, simulator: Door) -> Iterator[Site]:
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.health.brisk",
        "DATABASE_URL": database.url,
        "REDIS_URL": valkey.url,
        "SIMULATOR_PORT": str(simulator.port),
    }
    site = Site(env, scratch() / "site.log")
    site.await_live()
    eventually(lambda: b"starting" not in site.get("/health")[1])
    yield site
    site.stop()


def test_each_dependency_goes_down_and_comes_back(
    site: Site, database: Breakable, valkey: Valkey, simulator: Door
) -> None:
    def told(service: str) -> dict[str, Any]:
        row: dict[str, Any] = json.loads(site.get(f"/health/{service}")[1])["checks"][service][0]
        return row

    def shows(service: str, status: str, reason: str | None = None) -> bool:
        row = told(service)
        return (row["status"], row.get("reason")) == (status, reason)

    def codes(*paths: str) -> list[int]:
        return [site.get(f"/health{path}")[0] for path in paths]

    # Each once: what goes up and down again and again is flapping, and shown as such.
    names = ("database", "cache", "locks", "google_veo")
    eventually(lambda: all(shows(name, "pass") for name in names), within=60)
    valkey.pause()
    simulator.shut()
    eventually(lambda: shows("cache", "fail", "timeout") and shows("locks", "fail", "timeout"))
    eventually(lambda: shows("google_veo", "fail", "refused"))
    outputs = [told(name)["output"] for name in ("cache", "locks", "google_veo")]
    written = site.log.read_text()
    assert [output for output in outputs if f"({output})" not in written] == []
    assert codes("/cache", "/locks", "/google_veo") == [503] * 3
    # Users can do without.
    assert codes("", "/ready", "/startup", "/live", "/database") == [200] * 5
    valkey.resume()
    simulator.silence()
    eventually(lambda: all(shows(name, "pass") for name in names), within=60)
    assert codes("/cache", "/locks", "/google_veo") == [200] * 3

    database.shatter()
    eventually(lambda: shows("database", "fail", database.reason), within=60)
    assert codes("", "/ready", "/database", "/live", "/cache") == [503, 503, 503, 200, 200]
    database.mend()
    eventually(lambda: shows("database", "pass"), within=60)
    assert codes("", "/ready", "/database") == [200] * 3


ASKED = {
    "no host": ("GET /health/live HTTP/1.0", [], 200),
    "no host, though it is HTTP/1.1": ("GET /health/live HTTP/1.1", [], 200),
    "the host of a pod": ("GET /health/live HTTP/1.1", ["Host: 10.1.2.3:8080"], 200),
    "the host of nobody": ("GET /health/live HTTP/1.1", ["Host: a b/c\xff"], 200),
    "a slash at the end": ("GET /health/live/ HTTP/1.1", [], 200),
    "malformed Accept": ("GET /health/live HTTP/1.1", ["Accept: ;;,,/,\xff\x80;q=1;q"], 200),
    "an endless Accept": ("GET /health/live HTTP/1.1", [f"Accept: {'a/b,' * 20_000}"], 200),
    "a made-up method": ("BREW /health HTTP/1.1", [], 405),
    "a body": ("POST /health/live HTTP/1.1", ["Content-Length: 0"], 405),
    "a method for servers": ("TRACE /metrics HTTP/1.1", [], 405),
    "no such service": ("GET /health/nobody HTTP/1.1", [], 404),
    "bytes for a name": ("GET /health/%00%ff%2e%2e%2f HTTP/1.1", [], 404),
    "a name without an end": (f"GET /health/{'x' * 8_000} HTTP/1.1", [], 404),
    "a long token": ("GET /health/live HTTP/1.1", [f"Authorization: Bearer {'x' * 100_000}"], 200),
}


@pytest.mark.parametrize(("line", "headers", "status"), ASKED.values(), ids=ASKED.keys())
def test_whatever_is_asked_is_neither_redirected_nor_a_bug(
    site: Site, line: str, headers: list[str], status: int
) -> None:
    reply = ask(site, line, *headers)
    assert reply.status == status
    assert reply.getheader("Allow") == ("GET, HEAD" if status == 405 else None)


def test_a_token_without_an_end_is_refused_unread(site: Site) -> None:
    try:
        reply = ask(site, "GET /health HTTP/1.1", f"Authorization: Bearer {'x' * 1_000_000}")
    except ConnectionError:  # where the refusal was lost with what nobody read
        pass
    else:
        assert reply.status == 431
    assert site.get("/health/live")[0] == 200


def ask(site: Site, line: str, *headers: str) -> HTTPResponse:
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as client:
        request = "\r\n".join([line, "Connection: close", *headers, "", ""])
        with suppress(ConnectionError):  # of who has refused before the end
            client.sendall(request.encode("latin-1"))
        reply = HTTPResponse(client)
        reply.begin()
        reply.close()
        return reply


def test_an_address_that_a_stranger_forwards_is_not_his(site: Site) -> None:
    path = "/health/database"
    assert b"componentId" in site.get(path)[1]
    for forwarded in ("127.0.0.1", "::1", "nonsense", "127.0.0.1, 127.0.0.1"):
        assert b"componentId" not in site.get(path, **{"X-Forwarded-For": forwarded})[1]
        assert site.get("/metrics", **{"X-Forwarded-For": forwarded})[0] == 403
