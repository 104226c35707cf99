"""Each app alone in a foreign project: no sibling, no config, no settings of ours."""

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from django.conf import settings

from tests.servers import Valkey

NEEDS = {
    "locking": [],
    "breaker": [],
    "health": [],
    "accounts": [
        "django.contrib.sessions",
        "rest_framework",
        "rest_framework_simplejwt.token_blacklist",
    ],
}
MIGRATE = ["migrate", "--verbosity", "0"]
COMMANDS = [
    ["check", "--fail-level", "ERROR"],
    MIGRATE,
    ["makemigrations", "--check", "--dry-run"],
]


def foreign_settings(app: str, extra: str = "") -> str:
    needs = ["django.contrib.auth", "django.contrib.contenttypes", *NEEDS[app], app]
    return textwrap.dedent(f"""
        SECRET_KEY = "a foreign project has its own secret, and it is long enough"
        USE_TZ = True
        DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "foreign.db"}}}}
        INSTALLED_APPS = {needs!r}
        ROOT_URLCONF = "foreign_urls"
    """) + textwrap.dedent(extra)


def foreign_project(directory: Path, app: str, extra: str = "") -> None:
    (directory / "foreign_settings.py").write_text(foreign_settings(app, extra))
    (directory / "foreign_urls.py").write_text("urlpatterns = []\n")
    (directory / app).symlink_to(settings.BASE_DIR / app)


# One after the other as a shell would, but for the half second in which each would read Django.
SEVERAL = """
import json, sys
from django.core.management import execute_from_command_line
for command in json.loads(sys.argv[1]):
    print("\\0")
    try:
        execute_from_command_line(["manage.py", *command])
    except SystemExit as end:
        if end.code:
            print(*command, file=sys.stderr)
            raise
"""


def django(directory: Path, *commands: list[str]) -> subprocess.CompletedProcess[str]:
    """Ends at the first command that fails; what each wrote begins with a NUL and a new line."""
    return subprocess.run(
        [sys.executable, "-c", SEVERAL, json.dumps(commands)],
        cwd=directory,
        env={
            "DJANGO_SETTINGS_MODULE": "foreign_settings",
            "PYTHONPATH": str(directory),
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def written(directory: Path, *commands: list[str]) -> list[str]:
    """What each of them wrote."""
    done = django(directory, *commands)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout.split("\0\n")[1:]


@pytest.mark.parametrize("app", NEEDS)
def test_an_app_alone_checks_and_migrates(tmp_path: Path, app: str) -> None:
    foreign_project(tmp_path, app)
    written(tmp_path, *COMMANDS)


NO_REST = """
import sys
sys.modules["rest_framework"] = None
CACHES = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": %r}}
"""
NO_CACHE = """
CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
"""


def test_operators_see_and_take_locks_without_rest(tmp_path: Path, own_valkey: Valkey) -> None:
    foreign_project(tmp_path, "locking", extra=NO_REST % own_valkey.url)
    take = "from locking import lock; print(lock('x', lease=60).acquire().fence)"
    _, fence = written(tmp_path, MIGRATE, ["shell", "-v", "0", "-c", take])
    order = ["release", "x", "--fence", fence.strip(), "--reason", "it hangs", "--yes"]
    orders = [["locks", *verb, "--json"] for verb in (["list"], ["show", "x"], order)]
    assert all(json.loads(text) for text in written(tmp_path, *orders))


def test_operators_see_and_command_circuits_without_rest(
    tmp_path: Path, own_valkey: Valkey
) -> None:
    foreign_project(tmp_path, "breaker", extra=NO_REST % own_valkey.url)
    use = "from breaker import *; get_breaker('x').call(int)"
    written(tmp_path, MIGRATE, ["shell", "-v", "0", "-c", use])
    order = ["open", "x", "--reason", "it moves house", "--yes"]
    verbs = ["list"], ["show", "x"], order, ["history", "x"]
    _, _, *told = written(tmp_path, *(["breakers", *verb, "--json"] for verb in verbs))
    assert all("it moves house" in text for text in told)


@pytest.mark.parametrize(("app", "command"), [("locking", "locks"), ("breaker", "breakers")])
def test_the_settings_of_the_readme_are_to_the_doctors_liking(
    tmp_path: Path, own_valkey: Valkey, app: str, command: str
) -> None:
    readme = (settings.BASE_DIR / "README.md").read_text()
    begin = f'INSTALLED_APPS += ["{app}"]\n'
    told = readme[readme.index(begin) + len(begin) :]
    told = re.sub("redis://127.0.0.1:6379/[0-9]", own_valkey.url, told[: told.index("```")])
    foreign_project(tmp_path, app, extra=NO_CACHE + told)
    result = django(tmp_path, MIGRATE, [command, "doctor", "--json"])
    found = json.loads(result.stdout.rpartition("\0\n")[2])
    assert "error" not in {finding["level"] for finding in found}
    (patience,) = (one["level"] for one in found if "silent server" in one["message"])
    assert patience == "ok"


PAGES = """
INSTALLED_APPS += [
    "django.contrib.admin", "django.contrib.sessions", "django.contrib.messages",
    "django.contrib.staticfiles", "locking",
]
CACHES = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": %r}}
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
STATIC_URL = "/static/"
ALLOWED_HOSTS = ["testserver"]
"""
LOOK = """
import re
from django.contrib.auth.models import User
from django.test import Client
client = Client()
client.force_login(User.objects.create_superuser("operator"))
page = client.get("/admin/health/operations/").content.decode()
print(*re.findall('<section id="([a-z]+)"', page))
"""


def test_the_page_of_operations_shows_the_apps_there_are(
    tmp_path: Path, own_valkey: Valkey
) -> None:
    foreign_project(tmp_path, "health", extra=PAGES % own_valkey.url)
    (tmp_path / "locking").symlink_to(settings.BASE_DIR / "locking")
    (tmp_path / "foreign_urls.py").write_text(
        "from django.contrib import admin\n"
        "from django.urls import path\n"
        "urlpatterns = [path('admin/', admin.site.urls)]\n"
    )
    _, sections = written(tmp_path, MIGRATE, ["shell", "-v", "0", "-c", LOOK])
    assert sections.split() == ["services", "locks", "alerts", "changes", "timeline"]


@pytest.mark.parametrize("app", NEEDS)
def test_a_misspelt_setting_fails_the_check_and_is_named(tmp_path: Path, app: str) -> None:
    foreign_project(tmp_path, app, extra=f"{app.upper()} = {{'CAHCE': 'default'}}")
    result = django(tmp_path, ["check"])
    assert result.returncode == 1
    assert f"({app}.E001)" in result.stderr
    assert "CAHCE" in result.stderr


@pytest.mark.parametrize("app", NEEDS)
def test_an_app_can_be_imported_before_django_is_set_up(app: str) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import {app}"],
        cwd=settings.BASE_DIR, env={"PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
