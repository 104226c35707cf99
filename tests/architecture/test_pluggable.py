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
COMMANDS = [
    ["check", "--fail-level", "ERROR"],
    ["migrate", "--verbosity", "0"],
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


def django(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        cwd=directory,
        env={
            "DJANGO_SETTINGS_MODULE": "foreign_settings",
            "PYTHONPATH": str(directory),
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("app", NEEDS)
def test_an_app_alone_checks_and_migrates(tmp_path: Path, app: str) -> None:
    foreign_project(tmp_path, app)
    for command in COMMANDS:
        result = django(tmp_path, *command)
        assert result.returncode == 0, (command, result.stdout, result.stderr)


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
    django(tmp_path, "migrate", "--verbosity", "0")
    take = "from locking import lock; print(lock('x', lease=60).acquire().fence)"
    fence = django(tmp_path, "shell", "-v", "0", "-c", take).stdout.strip()
    order = ["release", "x", "--fence", fence, "--reason", "it hangs", "--yes"]
    for verb in (["list"], ["show", "x"], order):
        result = django(tmp_path, "locks", *verb, "--json")
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)


def test_operators_see_and_command_circuits_without_rest(
    tmp_path: Path, own_valkey: Valkey
) -> None:
    foreign_project(tmp_path, "breaker", extra=NO_REST % own_valkey.url)
    django(tmp_path, "migrate", "--verbosity", "0")
    django(tmp_path, "shell", "-v", "0", "-c", "from breaker import *; get_breaker('x').call(int)")
    order = ["open", "x", "--reason", "it moves house", "--yes"]
    for verb in (["list"], ["show", "x"], order, ["history", "x"]):
        result = django(tmp_path, "breakers", *verb, "--json")
        assert result.returncode == 0, result.stderr
        assert "it moves house" in result.stdout or verb[0] in ("list", "show")


@pytest.mark.parametrize(("app", "command"), [("locking", "locks"), ("breaker", "breakers")])
def test_the_settings_of_the_readme_are_to_the_doctors_liking(
    tmp_path: Path, own_valkey: Valkey, app: str, command: str
) -> None:
    readme = (settings.BASE_DIR / "README.md").read_text()
    begin = f'INSTALLED_APPS += ["{app}"]\n'
    told = readme[readme.index(begin) + len(begin) :]
    told = re.sub("redis://127.0.0.1:6379/[0-9]", own_valkey.url, told[: told.index("```")])
    foreign_project(tmp_path, app, extra=NO_CACHE + told)
    django(tmp_path, "migrate", "--verbosity", "0")
    found = json.loads(django(tmp_path, command, "doctor", "--json").stdout)
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
    django(tmp_path, "migrate", "--verbosity", "0")
    result = django(tmp_path, "shell", "-v", "0", "-c", LOOK)
    assert result.stdout.split() == ["services", "locks", "alerts", "changes", "timeline"], (
        result.stderr
    )


@pytest.mark.parametrize("app", NEEDS)
def test_a_misspelt_setting_fails_the_check_and_is_named(tmp_path: Path, app: str) -> None:
    foreign_project(tmp_path, app, extra=f"{app.upper()} = {{'CAHCE': 'default'}}")
    result = django(tmp_path, "check")
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
