"""The WSGI wrapper that answers /health… and /metrics before Django is asked.

So neither ALLOWED_HOSTS, nor a redirect to https, nor sessions, nor a hung database stands
between a load balancer and its answer.
"""

import time
from collections.abc import Iterable

from . import checker, metrics
from .conf import conf
from .draining import draining
from .endpoints import answers, fresh
from .endpoints.access import Access, access
from .endpoints.answers import Answer, Application, Environ, StartResponse
from .endpoints.pages import Edition, Page, unsure
from .engine.checker import Checker
from .verdict import Reason

DETAILED = "detailed"


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
        return "other", answers.wrong_method(path)
    running = checker.current()
    if path == "/metrics":
        return "metrics", _metrics(running, environ)
    match path.removeprefix("/health").removeprefix("/"):
        case "live":
            return "live", answers.live(environ.get("HTTP_ACCEPT", ""))
        case ("" | "ready" | "startup") as name:
            return name or "health", _health(_public(name, running), environ)
        case name:
            return _private(name, path, running, environ)


def _public(name: str, running: Checker) -> Page:
    edition = running.edition
    if running.stale:
        return unsure(edition.snapshot, Reason.STALE)
    if name == "ready" and draining():
        return unsure(edition.snapshot, Reason.DRAINING)
    pages = {"": edition.overall, "ready": edition.ready, "startup": edition.startup}
    return pages[name]


def _private(name: str, path: str, running: Checker, environ: Environ) -> tuple[str, Answer]:
    """Details, or the words where those are for everybody. Who may see neither learns no names."""
    services = running.edition.services
    known = name == DETAILED or name in services
    endpoint = "other" if not known else DETAILED if name == DETAILED else "service"
    closed = conf().anonymous == "summary"
    if not known and not closed:
        return endpoint, answers.unknown_service(path)
    allowed = access(environ, running.edition.snapshot)
    if allowed is Access.UNKNOWN:
        return endpoint, answers.database_needed(path)
    if allowed is Access.WORDS and closed:
        return endpoint, answers.login_needed(path)
    if not known:
        return endpoint, answers.unknown_service(path)
    if allowed is Access.DETAILS and fresh.wanted(environ):
        fresh.look_again(running, services if name == DETAILED else [name])
    page = _page(running, name, details=allowed is Access.DETAILS)
    return endpoint, _health(page, environ)


def _page(running: Checker, name: str, *, details: bool) -> Page:
    edition: Edition = running.edition
    if running.stale:
        return unsure(edition.snapshot, Reason.STALE)
    pages = edition.detailed if name == DETAILED else edition.services[name]
    return pages[details]


def _health(page: Page, environ: Environ) -> Answer:
    return answers.health(
        environ.get("HTTP_ACCEPT", ""),
        code=page.code,
        word=page.word,
        body=page.body(),
        retry_after=page.retry_after,
    )


def _metrics(running: Checker, environ: Environ) -> Answer:
    snapshot = running.edition.snapshot
    match access(environ, snapshot):
        case Access.UNKNOWN:
            return answers.database_needed("/metrics")
        case Access.WORDS:
            return answers.metrics_refused("/metrics")
    return metrics.answer(snapshot, environ)
