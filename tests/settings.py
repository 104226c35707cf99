"""The product's own settings, on the servers of the test run.

``TEST_DATABASE`` picks ``sqlite`` (default) or ``postgres``; ``make test`` runs both.
"""

import os
from base64 import urlsafe_b64encode
from hashlib import sha256

from tests import servers

# That of somebody's shell would open to all what tests find closed.
os.environ.pop("DEBUG", None)
# Fixed for the run, so that processes started by a test share them.
for _name in ("SECRET_KEY", "TOKEN_SIGNING_KEYS", "TOKEN_PEPPER", "ENCRYPTION_KEYS"):
    _key = urlsafe_b64encode(sha256(_name.encode()).digest()).rstrip(b"=").decode()
    os.environ.setdefault(_name, _key)
if "DATA_DIR" not in os.environ:
    os.environ["DATA_DIR"] = str(servers.scratch())
os.environ.setdefault("REDIS_URL", servers.valkey_url())
os.environ.setdefault("ALLOWED_HOSTS", "testserver,127.0.0.1,localhost")
if os.environ.get("TEST_DATABASE") == "postgres":
    os.environ.setdefault("DATABASE_URL", servers.postgres_url())

from config.settings import BREAKER, DATA_DIR, DATABASES, HEALTH  # noqa: E402
from tests.patient_settings import *  # noqa: E402, F403

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, not memory: threads and processes of a test must meet in one database.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
HTTPS = SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "sessionid", "csrftoken"
# Argon2 stays the product's hasher; two passes over 64 KiB keep the suite quick.
PASSWORD_HASHERS = ["tests.hashers.QuickArgon2"]
# Tests come more often than people do; those of the limits set their own.
RATE_LIMITS = {"USER": 0, "ADDRESS": 0}
# Rows are written by a thread of the breaker's own, so they would outlive a rolled-back test.
BREAKER = {**BREAKER, "HISTORY": False}
# Servers of several tests run at once; only the processes of one may take each other's word.
_host = os.environ.get("TEST_RUNTIME_DIR") or DATA_DIR / "run" / str(os.getpid())
# Alerting writes rows in threads of its own, as the breaker does.
HEALTH = {**HEALTH, "RUNTIME_DIR": _host, "ALERTS": None}
