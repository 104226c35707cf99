"""Sessions before the product as a user starts it."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings

from accounts.client import (
    AsyncTokenSession,
    FileStorage,
    MemoryStorage,
    SessionEnded,
    SignInRefused,
    SignInRequired,
    Storage,
    TokenSession,
)
from tests.accounts.forge import forged, payload
from tests.product import Product, call, free_port
from tests.servers import scratch

pytestmark = pytest.mark.live

PASSWORD = "tide and time"
ME = "/api/v1/auth/me"


class Site:
    """A product that stays at its address when it is started anew."""

    def __init__(self) -> None:
        self.directory = scratch()
        self.port = free_port()
        self.start()

    def start(self) -> None:
        self.product = Product(
            self.directory,
            PORT=str(self.port),
            WORKERS="1",
            OPERATOR_PASSWORD=PASSWORD,
            # So that the test can sign what time alone could make.
            TOKEN_SIGNING_KEYS=os.environ["TOKEN_SIGNING_KEYS"],
        )
        self.url = self.product.url

    def stop(self) -> None:
        assert self.product.stop() == 0

    def exchanges(self, access: str) -> int:
        """How often the refresh token of a session was exchanged."""
        query = "SELECT count(*) FROM accounts_refresh WHERE session_id = ? AND used_at NOT NULL"
        database = sqlite3.connect(self.directory / "db.sqlite3")
        try:
            return int(database.execute(query, [payload(access)["sid"]]).fetchone()[0])
        finally:
            database.close()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    running = Site()
    yield running
    running.stop()


def expired(site: Site, storage: Storage) -> str:
    """Sign in, and keep an access token whose hour is over, without the client's knowledge."""
    with TokenSession(site.url, storage=storage) as session:
        session.sign_in("operator", PASSWORD, device="a test")
    text = storage.load()
    assert text is not None
    kept = json.loads(text)
    access = forged({**payload(kept["tokens"]["access"]), "iat": 1, "nbf": 1, "exp": 3600})
    kept["tokens"] |= {"access": access, "ahead": None}
    storage.save(json.dumps(kept))
    return access


def test_of_twenty_threads_with_an_expired_token_one_renews_it(site: Site) -> None:
    storage = MemoryStorage()
    access = expired(site, storage)
    with TokenSession(site.url, storage=storage, timeout=30) as session:
        barrier = threading.Barrier(20)

        def ask(_: int) -> int:
            barrier.wait()
            return session.get(ME).status_code

        with ThreadPoolExecutor(20) as pool:
            assert set(pool.map(ask, range(20))) == {200}
    assert site.exchanges(access) == 1


def test_of_twenty_tasks_with_an_expired_token_one_renews_it(site: Site) -> None:
    storage = MemoryStorage()
    access = expired(site, storage)

    async def scene() -> set[int]:
        async with AsyncTokenSession(site.url, storage=storage, timeout=30) as session:
            answers = await asyncio.gather(*(session.get(ME) for _ in range(20)))
            return {answer.status_code for answer in answers}

    assert asyncio.run(scene()) == {200}
    assert site.exchanges(access) == 1


SHARER = """
import sys
from accounts.client import FileStorage, TokenSession
url, path = sys.argv[1:]
with TokenSession(url, storage=FileStorage(path), timeout=30) as session:
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(5):
        session.get("/api/v1/auth/me").raise_for_status()
"""


def test_processes_that_share_a_file_share_one_refresh_token(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    access = expired(site, FileStorage(path))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SHARER, site.url, str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={"PYTHONPATH": str(settings.BASE_DIR)},
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    assert site.exchanges(access) == 1


def test_a_restart_of_the_server_ends_no_session(site: Site) -> None:
    storage = MemoryStorage()
    access = expired(site, storage)
    with TokenSession(site.url, storage=storage, timeout=30) as session:
        session.get(ME).raise_for_status()
        site.stop()
        site.start()
        assert session.get(ME).json()["username"] == "operator"
    assert site.exchanges(access) == 1


def test_a_session_that_was_ended_elsewhere_ends_here_once(site: Site) -> None:
    storage = MemoryStorage()
    with TokenSession(site.url, storage=storage, timeout=30) as session:
        session.sign_in("operator", PASSWORD)
        access = json.loads(storage.load() or "")["tokens"]["access"]
        call("POST", f"{site.url}/api/v1/auth/logout", Authorization=f"Bearer {access}")
        with pytest.raises(SessionEnded) as caught:
            session.get(ME)
        assert caught.value.code == "token_revoked"
        with pytest.raises(SignInRequired) as after:
            session.get(ME)
        assert not isinstance(after.value, SessionEnded)
    assert site.exchanges(access) == 0


def test_logging_out_kills_the_tokens_at_the_server(site: Site) -> None:
    storage = MemoryStorage()
    with TokenSession(site.url, storage=storage, timeout=30) as session:
        session.sign_in("operator", PASSWORD)
        access = json.loads(storage.load() or "")["tokens"]["access"]
        session.log_out()
    assert call("GET", f"{site.url}{ME}", Authorization=f"Bearer {access}").status == 401


def test_a_wrong_password_is_refused_and_changes_nothing(site: Site) -> None:
    with TokenSession(site.url, timeout=30) as session:
        with pytest.raises(SignInRefused) as caught:
            session.sign_in("nobody in particular", "wrong")
        assert (caught.value.status, caught.value.code) == (401, "invalid_credentials")
        assert not session.signed_in


def test_the_server_tells_its_time(site: Site) -> None:
    """Without which nothing could be renewed ahead of time."""
    storage = MemoryStorage()
    with TokenSession(site.url, storage=storage, timeout=30) as session:
        session.sign_in("operator", PASSWORD)
    assert abs(json.loads(storage.load() or "")["tokens"]["ahead"]) < 60
