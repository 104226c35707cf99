"""The locks, a table and nothing else, so that a killed worker is back in no time."""

import os

import environ

from config.redis import caches

SECRET_KEY = "workers sign nothing"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "locking",
    "tests.faults",
]
DATABASES = {"default": environ.Env.db_url_config(os.environ["DATABASE_URL"])}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
DATABASES["default"]["CONN_MAX_AGE"] = None
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = caches(os.environ["REDIS_URL"])
LOCKING = {"CACHE": "locks"}
USE_TZ = True
# Losses are what a battle is about; what workers log as errors is on record as a problem.
LOGGING = {"version": 1, "loggers": {"locking": {"level": "ERROR", "propagate": False}}}
