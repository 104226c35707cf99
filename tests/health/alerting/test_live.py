"""Hosts that share a database, whose dependencies really break, and who hears of it."""

import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from config.children import end_with_parent
from health.alerting.memory import Memory
from health.models import Alert
from tests.health.conftest import eventually as soon
from tests.servers import Valkey, valkey_url

from .receivers import Hook, listening

pytestmark = pytest.mark.live

# Processes start, and a channel may rest for a minute.
eventually = partial(soon, within=90)


class Process:
    def __init__(self, env: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as said, log.with_suffix(".err").open("wb") as trouble:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.health.alerting.host"],
                env=env,
                cwd=settings.BASE_DIR,
                stdout=said,
                stderr=trouble,
                preexec_fn=end_with_parent,
            )

    def shows(self, service: str) -> str | None:
        *_, last = ["{}", *self._log.read_text().splitlines()]
        word: str | None = json.loads(last).get(service)
        return word

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Host:
    """Processes that share a runtime directory, as those of a server do."""

    def __init__(self, env: dict[str, str], directory: Path) -> None:
        self._env = {
            **env,
            "DJANGO_SETTINGS_MODULE": "tests.health.alerting.loud",
            "TEST_RUNTIME_DIR": str(directory),
        }
        self._directory = directory
        self.processes: list[Process] = []

    def start(self) -> None:
        log = self._directory.with_suffix(f".{len(self.processes)}.log")
        self.processes.append(Process(self._env, log))

    def shows(self, word: str, *services: str) -> bool:
        """The process that began last, which hears of it from the one that leads."""
        return {self.processes[-1].shows(service) for service in services} == {word}

    def kill_leader(self) -> None:
        [leader] = [one for one in self.processes if one.shows("source") == "leader"]
        self.processes.remove(leader)
        leader.kill()

    def knows_as_told(self, service: str) -> bool:
        """Who dies before has to say it again."""
        records = Memory(self._directory / "alerts").recall().records
        told = [one.told.get("webhook") for one in records if one.labels.service == service]
        return [one.sure for one in told if one] == [True]


Serve = Callable[..., Host]


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as hook:
        yield hook


@pytest.fixture
def serve(tmp_path: Path, hook: Hook) -> Iterator[Serve]:
    hosts: list[Host] = []

    def start(env: dict[str, str], name: str, *, processes: int = 1) -> Host:
        hosts.append(Host({**env, "ALERT_WEBHOOK_URL": hook.url}, tmp_path / name))
        for _ in range(processes):
            hosts[-1].start()
        return hosts[-1]

    yield start
    for process in [process for host in hosts for process in host.processes]:
        process.kill()
    # Shown where the test fails.
    for log in sorted(tmp_path.glob("*.*")):
        sys.stdout.write(f"--- {log.name}\n{log.read_text()}\n")
    for headers, body in hook.posts:
        sys.stdout.write(f"{headers} {body.decode()}\n")


def heard(hook: Hook, service: str) -> Counter[str]:
    documents = [json.loads(body) for _, body in list(hook.posts)]
    return Counter(
        one["status"]
        for document in documents
        for one in document["alerts"]
        if one["labels"]["service"] == service
    )


def told(*services: str) -> dict[str, str]:
    """The last word on each of them, once nobody is about to say another one."""
    rows = Alert.objects.filter(service__in=services, claimed_by="")
    heard = {row.service: row.told.get("webhook", ["", 0, False]) for row in rows}
    return {service: word for service, (word, _, sure) in heard.items() if sure}


def test_of_two_hosts_one_process_tells_that_redis_is_down_and_back(
    process_env: dict[str, str], own_valkey: Valkey, serve: Serve, hook: Hook
) -> None:
    """The process that leads one of the hosts is killed between.

    The hosts begin last, to be gone before the database is emptied.
    """
    env = {**process_env, "REDIS_URL": own_valkey.url}
    hosts = serve(env, "first", processes=2), serve(env, "second")
    for host in hosts:
        eventually(partial(host.shows, "pass", "cache", "locks", "database"))
    own_valkey.stop()
    eventually(lambda: told("cache", "locks") == dict.fromkeys(("cache", "locks"), "firing"))
    hosts[0].kill_leader()
    own_valkey.restart()
    eventually(lambda: told("cache", "locks") == dict.fromkeys(("cache", "locks"), "resolved"))
    eventually(lambda: not Alert.objects.exclude(state="quiet").exists())
    assert heard(hook, "cache") == heard(hook, "locks") == {"firing": 1, "resolved": 1}
    assert heard(hook, "database") == {}


@pytest.fixture
def away(
    tmp_path: Path, django_db_setup: None
) -> tuple[dict[str, str], Callable[[], None], Callable[[], None]]:
    """The environment of a database in a directory of its own, and what breaks and mends it."""
    place, elsewhere = tmp_path / "database", tmp_path / "elsewhere"
    place.mkdir()
    with (
        closing(sqlite3.connect(connection.settings_dict["NAME"])) as migrated,
        closing(sqlite3.connect(place / "db.sqlite3")) as own,
    ):
        migrated.backup(own)
    env = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{place}/db.sqlite3",
        "REDIS_URL": valkey_url(),
        "PYTHONPATH": str(settings.BASE_DIR),
    }
    return env, lambda: place.rename(elsewhere), lambda: elsewhere.rename(place)


def test_without_the_database_each_host_tells_it_once(
    serve: Serve,
    hook: Hook,
    away: tuple[dict[str, str], Callable[[], None], Callable[[], None]],
) -> None:
    """One of them is killed meanwhile, and starts again with the database still away."""
    env, take_away, bring_back = away
    hosts = first, _ = serve(env, "first"), serve(env, "second")
    for host in hosts:
        eventually(partial(host.shows, "pass", "database"))
    take_away()
    for host in hosts:
        eventually(partial(host.knows_as_told, "database"))
    first.kill_leader()
    first.start()
    eventually(partial(first.shows, "fail", "database"))
    bring_back()
    for host in hosts:
        eventually(partial(host.shows, "pass", "database"))
    eventually(lambda: quiet(env) and heard(hook, "database")["resolved"])
    assert heard(hook, "database") == {"firing": 2, "resolved": 1}
    assert heard(hook, "migrations") == {}


def quiet(env: dict[str, str]) -> bool:
    """All has been put in, and all is said."""
    with closing(sqlite3.connect(env["DATABASE_URL"].removeprefix("sqlite:///"))) as connection:
        rows = connection.execute("SELECT state FROM health_alert WHERE service = 'database'")
        return set(rows) == {("quiet",)}
