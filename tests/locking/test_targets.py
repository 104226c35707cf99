"""What is said of where the store is."""

import redis

from locking.sentinel import Sentinels
from locking.targets import Target


def test_no_password_is_shown():
    sentinels = Sentinels("primary", [{"host": "localhost", "password": "of the Sentinels"}])
    shown = repr(Target(redis.Connection, {"password": "of the store"}, 1.0, sentinels))
    assert "password" not in shown
