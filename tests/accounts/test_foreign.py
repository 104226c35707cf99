"""accounts in a project that is not ours: own user model, stock DRF, defaults of ours."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

SETTINGS = """
SECRET_KEY = "a foreign project has its own secret, and it is long enough"
USE_TZ = True
DATABASES = {"default": {
    "ENGINE": "django.db.backends.sqlite3", "NAME": "foreign.db", "ATOMIC_REQUESTS": True,
    "OPTIONS": {"transaction_mode": "IMMEDIATE"},
}}
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "people", "accounts"BLACKLIST
]
AUTH_USER_MODEL = "people.Person"
ROOT_URLCONF = "foreign_urls"
ALLOWED_HOSTS = ["testserver"]
# The default is a second, which a busy machine may sleep through.
ACCOUNTS = {"REFRESH_OVERLAP": 30}
"""
URLS = """
from django.urls import include, path
urlpatterns = [path("", include("accounts.urls")), path("", include("accounts.urls_wellknown"))]
"""
MODELS = """
import uuid
from django.contrib.auth.models import AbstractUser
from django.db import models

class Person(AbstractUser):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    username = None
    email = models.EmailField(unique=True)
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []
"""
STORY = """
import json, django
django.setup()
from django.core.management import call_command
call_command("makemigrations", "people", verbosity=0)
call_command("migrate", verbosity=0)
from django.test import Client
from people.models import Person
ada = Person(email="ada@example.org")
ada.set_password("correct horse battery")
ada.save()

def call(path, **body):
    token = body.pop("access", None)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    send = Client().post if body else Client().get
    answer = send(path, data=body, content_type="application/json", headers=headers)
    said = [answer.headers.get(name) for name in ("WWW-Authenticate", "Retry-After")]
    return [answer.status_code, *said], answer.json() if answer.content else {}

_, pair = call("/token", username="ada@example.org", password="correct horse battery")
me, who = call("/me", access=pair["access"])
_, second = call("/token/refresh", refresh=pair["refresh"])
overlap, _ = call("/token/refresh", refresh=pair["refresh"])
call("/token/refresh", refresh=second["refresh"])
reused, _ = call("/token/refresh", refresh=pair["refresh"])
dead, _ = call("/me", access=second["access"])
wrong, _ = call("/token", username="ada@example.org", password="wrong")
keys, _ = call("/jwks.json")
print(json.dumps([me, who["id"] == str(ada.pk), overlap, reused, dead, wrong, keys]))
"""


@pytest.mark.parametrize(
    "blacklist", ["", ', "rest_framework_simplejwt.token_blacklist"'], ids=["without", "with"]
)
def test_a_foreign_project_gets_right_answers_with_and_without_the_blacklist_app(
    tmp_path: Path, blacklist: str
) -> None:
    (tmp_path / "foreign_settings.py").write_text(SETTINGS.replace("BLACKLIST", blacklist))
    (tmp_path / "foreign_urls.py").write_text(URLS)
    (tmp_path / "people" / "migrations").mkdir(parents=True)
    (tmp_path / "people" / "__init__.py").touch()
    (tmp_path / "people" / "migrations" / "__init__.py").touch()
    (tmp_path / "people" / "models.py").write_text(MODELS)
    (tmp_path / "accounts").symlink_to(settings.BASE_DIR / "accounts")
    told = subprocess.run(
        [sys.executable, "-c", STORY],
        cwd=tmp_path,
        env={"DJANGO_SETTINGS_MODULE": "foreign_settings", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    invalid = 'Bearer error="invalid_token"'
    assert json.loads(told.stdout) == [
        [200, None, None],
        True,
        [409, None, "1"],
        [401, invalid, None],
        [401, invalid, None],
        [401, "Bearer", None],
        [200, None, None],
    ]
