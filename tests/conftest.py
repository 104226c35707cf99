import gc
import logging
import os
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import redis
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.db.models import Model
from django.test import Client, TransactionTestCase
from rest_framework.test import APIClient
from whitenoise.middleware import WhiteNoiseMiddleware

from accounts import sessions
from breaker.agent import agent
from health import checker
from tests import conformance
from tests.servers import Valkey, scratch, valkey_url


def pytest_unconfigure() -> None:
    """Threads that still log while the process ends find pytest's capture closed."""
    logging.raiseExceptions = False


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Modules and tests are there to stay: the collector need not look at them again and again.

    In a fresh clone they have no bytecode. Each worker of xdist begins with a share of them, since
    all would else compile the same module at the same time, one after the other.
    """
    gc.disable()
    config = session.config
    if (worker := os.environ.get("PYTEST_XDIST_WORKER")) and config.args == config.getini(
        "testpaths"
    ):
        number, workers = int(worker.strip("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        for path in sorted(Path(__file__).parent.rglob("test_*.py"))[number::workers]:
            import_module(".".join(path.relative_to(config.rootpath).with_suffix("").parts))


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)  # xdist looks for groups next
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What touches no database has nothing to show on a second one; and what shares a product or a
    cluster with its module stays together, so that not each worker starts one of its own."""
    for item in items:
        if _shares(item):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    if os.environ.get("TEST_DATABASE") == "postgres":
        others = [item for item in items if not _touches_database(item)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if _touches_database(item)]


def _shares(item: pytest.Item) -> bool:
    fixtures = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
    return any(found[-1].scope == "module" for found in fixtures.values())


def _touches_database(item: pytest.Item) -> bool:
    fixtures = item.fixturenames if isinstance(item, pytest.Function) else ()
    marked = item.get_closest_marker("django_db") is not None
    return marked or not {"db", "transactional_db"}.isdisjoint(fixtures)


@pytest.fixture(scope="session", autouse=True)
def undeclared() -> None:
    """The first test, too: modules of others have declared circuits when they were imported."""
    agent.forget()


@pytest.fixture(scope="session", autouse=True)
def static_files() -> None:
    """Found once: each test client makes the middleware anew, which looks for some 175 files."""
    find, found = WhiteNoiseMiddleware.add_files_from_finders, dict[str, Any]()

    def add(self: WhiteNoiseMiddleware) -> None:
        if not found:
            find(self)
            found.update(self.files)
        self.files.update(found)

    WhiteNoiseMiddleware.add_files_from_finders = add


@pytest.fixture(scope="session", autouse=True)
def emptied() -> None:
    """After a test that committed: the rows are deleted where there are any, and those of Django
    stay. To truncate and refill forty tables takes PostgreSQL a tenth of a second."""
    TransactionTestCase._fixture_teardown = lambda self: empty_tables()


@pytest.fixture(autouse=True)
def clean_valkey() -> Iterator[None]:
    """Each test meets an empty store, and circuits that no test has opened."""
    yield
    empty_store()


@pytest.fixture(autouse=True)
def unwatched(clean_valkey: None) -> Iterator[None]:
    """Who asks for /health here starts what watches stores and databases, those of later tests."""
    yield
    if running := checker._running:
        checker._running = None
        running.stop()
        for thread in threading.enumerate():
            if thread.name.startswith("health-"):
                thread.join(10)


def empty_tables() -> None:
    models = [model for model in apps.get_models(include_auto_created=True) if _ours(model)]
    tables = [connection.ops.quote_name(model._meta.db_table) for model in models]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"EXISTS(SELECT 1 FROM {one})" for one in tables))
        for table, filled in zip(tables, cursor.fetchone(), strict=True):
            if filled:
                cursor.execute(f"DELETE FROM {table}")


def _ours(model: type[Model]) -> bool:
    return model._meta.managed and not model._meta.proxy and model not in (ContentType, Permission)


def empty_store() -> None:
    agent.forget()
    # Without its own version, which redis-py would read from a file for each connection.
    with redis.Redis.from_url(valkey_url(), driver_info=None) as client:
        client.flushall()


@pytest.fixture(autouse=True)
def documented(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer to a test client has to be one of the OpenAPI document's."""
    if request.node.get_closest_marker("urls"):
        return
    ask = Client.request

    def checked(self: Client, **environ: Any) -> Any:
        answer = ask(self, **environ)
        conformance.check(environ["REQUEST_METHOD"], environ["PATH_INFO"], answer)
        return answer

    monkeypatch.setattr(Client, "request", checked)


@pytest.fixture
def own_valkey() -> Iterator[Valkey]:
    """A server of the test's own, to kill, pause and restart."""
    server = Valkey(scratch())
    yield server
    server.stop()


@pytest.fixture
def process_env(transactional_db: None) -> dict[str, str]:
    """Environment for a process that is to share the test's database and Valkey."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{database['NAME']}"
    else:
        url = os.environ["TEST_POSTGRES_URL"].replace("/postgres?", f"/{database['NAME']}?")
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": url,
        "REDIS_URL": valkey_url(),
        "PYTHONPATH": str(settings.BASE_DIR),
    }


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("ada", password="correct horse battery")


@pytest.fixture
def operator(db: None) -> User:
    return User.objects.create_superuser("operator", password="correct horse battery")


@pytest.fixture
def api(user: User) -> APIClient:
    """A client that carries a bearer token of ``user``."""
    return signed_in(user)


@pytest.fixture
def operator_api(operator: User) -> APIClient:
    return signed_in(operator)


def signed_in(user: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {sessions.start(user).access}")
    return client
