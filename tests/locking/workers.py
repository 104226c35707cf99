"""Processes that use the locks, each driven by lines on its standard input."""

import faulthandler
import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from django.conf import settings

from config.children import end_with_parent
from tests.servers import valkey_url

PRELUDE = """
import asyncio, json, os, sys, threading, time
import django
from django.conf import settings
from config.redis import caches
aliases = caches(os.environ["REDIS_URL"])
aliases["locks"]["OPTIONS"] |= {"SOCKET_TIMEOUT": 10.0, "SOCKET_CONNECT_TIMEOUT": 10.0}
settings.configure(CACHES=aliases, LOCKING={"CACHE": "locks"})
django.setup()
from locking import LockBusy, LockError, LockLost, lock
def tell(*words):
    print(json.dumps(words), flush=True)
now = time.monotonic
"""


class Worker:
    """Runs ``source``, in which ``tell`` sends a line of JSON back; ``before`` all imports."""

    def __init__(self, source: str, *, before: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"{before}\n{PRELUDE}{source}"],
            env={**os.environ, "REDIS_URL": valkey_url(), "PYTHONPATH": str(settings.BASE_DIR)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=end_with_parent,
        )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()

    def hear(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def say(self, line: str = "") -> None:
        assert self.process.stdin
        print(line, file=self.process.stdin, flush=True)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def forked(work: Callable[[], object]) -> int:
    """Exit code of a child that does this: 0 unless it failed."""
    child = os.fork()
    if child == 0:
        code = 1
        # One that is stuck tells where; a timer of faulthandler's own may have been forked away.
        faulthandler.register(signal.SIGALRM, chain=True)
        signal.alarm(60)
        try:
            work()
            gc.collect()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
