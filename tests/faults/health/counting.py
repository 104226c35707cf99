"""What workers counted outlives them, and no stranger makes it more than it is.

Four workers are asked, killed and renewed, and all that were asked have to be in the sum. Then
come callers with methods, paths, hosts and names that there never were.
"""

import json
import os
import random
import signal
import string
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

from django.contrib.auth.models import User
from django.core.management import call_command
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from accounts import sessions
from breaker import get_breaker
from breaker.agent import agent
from health.contrib.breaker import SHOWN
from health.contrib.locking import MOST_PATTERNS
from locking import lock
from locking.patterns import HTTP
from tests.health.servers import Site
from tests.product import until

from .succession import recycle

Labels = tuple[tuple[str, str], ...]
Samples = dict[tuple[str, Labels], float]
READY = "health_request_duration_seconds_count", ("endpoint", "ready")
MISSING = "django_http_responses_total_by_status_total", ("status", "404")
TAKEN = "locking_acquisitions_total", (("outcome", "granted"), ("pattern", HTTP))
# What callers could make more of, if anything.
COUNTED = ("accounts_", "app_", "breaker_transitions", "django_http", "health_request", "locking_")
# State that is shown of so many at most.
SHOWN_OF = {"breaker_state": SHOWN, "locking_held": MOST_PATTERNS + 1}
# Connections end with a batch, so that each worker has its share.
BATCH = 50


class Workers:
    """Those of a server that counts in ``directory``, and how often they have been asked."""

    def __init__(self, site: Site, directory: Path) -> None:
        self.site = site
        self.asked = 0
        self._directory = directory
        self._complete()

    def ask(self) -> None:
        """Until each of them has answered."""
        before = self._answered()
        deadline = time.monotonic() + 60
        while not self._all_have_since(before):
            assert time.monotonic() < deadline, "some worker answers nobody"
            for _ in range(25):
                assert self.site.get("/health/ready")[0] in (200, 503)
                assert self.site.get("/api/v1/nowhere")[0] == 404
                self.asked += 1

    def kill(self) -> None:
        """One of them, in the middle of its life."""
        worker, file = random.choice([*self._files().items()])
        os.kill(worker, signal.SIGKILL)
        # The one that takes its place puts together what the dead counted.
        until(lambda: not file.exists())
        self._complete()

    def renew(self) -> None:
        recycle(self.site)
        self._complete()

    def sums(self) -> tuple[float, float]:
        seen = scrape(self.site)
        return total(seen, *READY), total(seen, *MISSING)

    def _complete(self) -> None:
        self.site.await_live()
        until(lambda: len(self.site.workers()) == self.site.size, 60)

    def _all_have_since(self, before: dict[int, float]) -> bool:
        since = [pid for pid, times in self._answered().items() if times > before.get(pid, 0)]
        return len(since) == self.site.size

    def _files(self) -> dict[int, Path]:
        """Where each of them counts how it was asked, once it was; empty for a moment before."""
        paths = {pid: self._directory / f"histogram_{pid}.db" for pid in self.site.workers()}
        return {pid: path for pid, path in paths.items() if path.exists() and path.stat().st_size}

    def _answered(self) -> dict[int, float]:
        return {pid: answered(path) for pid, path in self._files().items()}


def answered(file: Path) -> float:
    metrics = MultiProcessCollector.merge([str(file)])  # type: ignore[no-untyped-call]
    return sum(
        sample.value
        for metric in metrics
        for sample in metric.samples
        if sample.name == READY[0] and READY[1] in sample.labels.items()
    )


def scrape(site: Site) -> Samples:
    status, body = site.get("/metrics")
    assert status == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def total(seen: Samples, name: str, label: tuple[str, str]) -> float:
    return sum(
        value for (named, labels), value in seen.items() if named == name and label in labels
    )


def words(times: int) -> list[str]:
    """Of letters alone: a lock whose name has digits is counted with others of its kind."""
    return ["".join(random.choices(string.ascii_lowercase, k=16)) for _ in range(times)]


@contextmanager
def crowded(times: int) -> Iterator[None]:
    """Far more circuits and locks than have series."""
    with ExitStack() as held:
        for word in words(times):
            get_breaker(word).call(int)
            held.enter_context(lock(word, lease=600, wait=0))
        agent.flush()
        yield


def shown(seen: Samples) -> Counter[str]:
    """How many circuits and patterns of locks."""
    found = {
        (name, value)
        for name, labels in seen
        if name in SHOWN_OF
        for label, value in labels
        if label in ("breaker", "pattern")
    }
    return Counter(name for name, _ in found)


def counted(seen: Samples) -> set[tuple[str, Labels]]:
    """The series that callers could add to."""
    state = {*SHOWN_OF, "locking_waiting", "locking_oldest_hold_seconds"}
    return {key for key in seen if key[0].startswith(COUNTED) and key[0] not in state}


def settled(site: Site) -> set[tuple[str, Labels]]:
    """What is counted of a lock taken, which is a second later, is in it, and so are all bounds."""
    found: list[Samples] = []

    def settles() -> bool:
        found.append(scrape(site))
        return TAKEN in found[-1] and shown(found[-1]) == SHOWN_OF

    until(settles, 60)
    return counted(found[-1])


def token() -> str:
    """Of somebody who may do it all, in the database of whoever runs this alone."""
    call_command("migrate", verbosity=0)
    return sessions.start(User.objects.create_superuser("stranger")).access


def invent(site: Site, token: str, times: int) -> None:
    """Methods, paths, hosts, services, locks and circuits that there never were."""
    invented = words(times)
    for first in range(0, times, BATCH):
        with closing(HTTPConnection("127.0.0.1", site.port, timeout=60)) as connection:
            for word in invented[first : first + BATCH]:
                _ask_for(word, connection, token)


def _ask_for(word: str, connection: HTTPConnection, token: str) -> None:
    known = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    taken = json.dumps({"name": word, "lease": 600})
    for method, path, body, headers, status in (
        (word.upper(), "/api/v1/locks", None, known, 405),
        ("GET", f"/{word}/{word}", None, {}, 404),
        ("GET", "/api/schema", None, {"Host": f"{word}.example"}, 400),
        ("GET", f"/health/{word}", None, {"Host": f"{word}.example"}, 404),
        ("POST", "/api/v1/locks/acquire", taken, known, 201),
        ("GET", f"/api/v1/breakers/{word}", None, known, 404),
    ):
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        assert (reply.status, reply.read() is None) == (status, False), (method, path)


def scrapes(site: Site, times: int) -> list[float]:
    """Seconds that each took, the quickest first."""
    return sorted(_scrape_seconds(site) for _ in range(times))


def _scrape_seconds(site: Site) -> float:
    began = time.perf_counter()
    assert site.get("/metrics")[0] == 200
    return time.perf_counter() - began
