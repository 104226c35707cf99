"""The WSGI wrapper that answers /health… and /metrics before Django is asked.

So neither ALLOWED_HOSTS, nor a redirect to https, nor sessions, nor a hung database stands
between a load balancer and its answer.
"""

import time
from collections.abc import Iterable
from threading import Event

from . import answers, checker, metrics
from .access import privileged
from .answers import Answer, Application, Environ, StartResponse
from .pages import Edition, Page, unsure
from .verdict import Reason, Status

LIVE = b'{"status":"pass"}'
_draining = Event()


def drain() -> None:
    """Ask for no more requests: /health/ready fails from now on, everything else goes on."""
    _draining.set()


class HealthResponder:
    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "").removesuffix("/")
        if path not in ("/health", "/metrics") and not path.startswith("/health/"):
            return self.application(environ, start_response)
        began = time.perf_counter()
        endpoint, answer = _answer(path, environ)
        metrics.REQUESTS.labels(endpoint, str(answer.code)).observe(time.perf_counter() - began)
        return answer.send(environ, start_response)


def _answer(path: str, environ: Environ) -> tuple[str, Answer]:
    """The answer, and the endpoint it counts for: a closed list, whatever the path says."""
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        allow = (("Allow", "GET, HEAD"),)
        detail = "Only GET and HEAD are answered here."
        return "other", answers.problem(405, "method_not_allowed", detail, path=path, extra=allow)
    if path == "/metrics":
        return "metrics", _metrics(environ)
    match path.removeprefix("/health").removeprefix("/"):
        case "live":
            return "live", _live(environ)
        case ("" | "ready" | "startup" | "detailed") as name:
            return name or "health", _health(name, environ)
        case service if service in checker.current().edition.services:
            return "service", _health(service, environ)
    return "other", answers.problem(404, "not_found", "There is no such service.", path=path)


def _live(environ: Environ) -> Answer:
    accept = environ.get("HTTP_ACCEPT", "")
    return answers.health(accept, code=200, word=Status.PASS, body=LIVE)


def _health(name: str, environ: Environ) -> Answer:
    running = checker.current()
    edition = running.edition
    if running.stale:
        page = unsure(edition.snapshot, Reason.STALE)
    elif name == "ready" and _draining.is_set():
        page = unsure(edition.snapshot, Reason.DRAINING)
    else:
        page = _page(edition, name, environ)
    return answers.health(
        environ.get("HTTP_ACCEPT", ""),
        code=page.code,
        word=page.word,
        body=page.body(),
        retry_after=page.retry_after,
    )


def _page(edition: Edition, name: str, environ: Environ) -> Page:
    match name:
        case "":
            return edition.overall
        case "ready":
            return edition.ready
        case "startup":
            return edition.startup
        case "detailed":
            words, details = edition.detailed
        case service:
            words, details = edition.services[service]
    return details if privileged(environ) else words


def _metrics(environ: Environ) -> Answer:
    if not privileged(environ):
        detail = "Metrics are for the addresses and tokens of the HEALTH setting."
        return answers.problem(403, "permission_denied", detail, path="/metrics")
    return metrics.answer(checker.current().edition.snapshot, environ)
