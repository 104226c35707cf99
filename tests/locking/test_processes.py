"""Real processes against one invariant."""

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings

from tests.servers import valkey_url

WORKER = """
import json, os, sys
import django
from django.conf import settings
from config.redis import caches
settings.configure(CACHES=caches(os.environ["REDIS_URL"]), LOCKING={"CACHE": "locks"})
django.setup()
from django_redis import get_redis_connection
from locking import lock
store = get_redis_connection("locks")
fences = []
for _ in range(60):
    with lock("n", wait=60) as lease:
        count = int(store.get("count") or 0)
        owner = store.get("owner")
        store.set("owner", lease.token)
        assert owner is None, owner
        store.set("count", count + 1)
        assert store.get("owner").decode() == lease.token
        store.delete("owner")
        fences.append(lease.fence)
json.dump(fences, sys.stdout)
"""


@pytest.mark.race
def test_eight_processes_never_hold_a_lock_at_once_and_their_fences_rise(store):
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER],
            env={**os.environ, "REDIS_URL": valkey_url(), "PYTHONPATH": str(settings.BASE_DIR)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    outputs = [worker.communicate(timeout=60)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 8
    each = [json.loads(output) for output in outputs]
    assert all(fences == sorted(fences) for fences in each)
    assert len({fence for fences in each for fence in fences}) == 480
    assert int(store.get("count")) == 480
    assert not store.exists("lock:{n}:l", "lock:{n}:q", "lock:{n}:w")
