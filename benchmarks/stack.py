"""What surrounds a view, by the time that it takes to say that there is none."""

import logging
import time
from collections.abc import Callable
from io import BytesIO
from statistics import median
from typing import Any

from django.conf import settings

from .arena import workers
from .rounds import interleave, ratio
from .rows import Budget, Row

Trial = Callable[[], float]
Application = Callable[[dict[str, Any], Callable[..., Any]], Any]

OURS, STOCK, BARE = "ours", "stock stack", "bare Django"
BUDGET = Budget("≤", 1.0)
# What a careful project sets up; it counts, limits and names no request, and has fewer headers.
CAREFUL = [
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]


def measure(*, rounds: int = 1_000, requests: int = 2) -> list[Row]:
    """``requests``: of each round, so few that a busy machine seldom interrupts them."""
    with workers(1) as [worker]:
        seconds = worker.submit(_seconds, rounds, requests).result()
    figures = {name: 1e6 * median(found) for name, found in seconds.items()}
    return [
        Row(
            what=f"{name}, an API 404 : {peer}",
            ours=figures[name],
            unit="µs",
            peers={peer: figures[peer]},
            ratio=ratio(seconds[name], seconds[peer]),
            budget=budget,
        )
        for name, peer, budget in (
            (OURS, STOCK, BUDGET),
            (OURS, BARE, None),
            (STOCK, BARE, None),
        )
    ]


def _seconds(rounds: int, requests: int) -> dict[str, list[float]]:
    """By contender, for one request. Nobody writes an access log here."""
    from config.wsgi import application

    trials = {
        OURS: _trial(application, requests),
        STOCK: _as_stock(_trial(_handler(CAREFUL), requests)),
        BARE: _as_stock(_trial(_handler([]), requests)),
    }
    return interleave(trials, rounds=rounds)


def _handler(middleware: list[str]) -> Application:
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import override_settings

    with override_settings(MIDDLEWARE=middleware):
        return WSGIHandler()


def _as_stock(trial: Trial) -> Trial:
    """With plain routes, and with Django's own word in its log about each 404."""
    log = logging.getLogger("django.request")

    def seconds_per_request() -> float:
        routes, level = settings.ROOT_URLCONF, log.level
        settings.ROOT_URLCONF = "benchmarks.stock_urls"
        log.setLevel(logging.WARNING)
        try:
            return trial()
        finally:
            settings.ROOT_URLCONF = routes
            log.setLevel(level)

    return seconds_per_request


def _trial(application: Application, requests: int) -> Trial:
    def seconds_per_request() -> float:
        # Whoever came before has filled the processor's caches with code of its own.
        _ask(application, _environ())
        received = [_environ() for _ in range(requests)]
        # Of this thread alone: the prober works on, and others have the machine too.
        began = time.thread_time()
        for environ in received:
            _ask(application, environ)
        return (time.thread_time() - began) / requests

    return seconds_per_request


def _ask(application: Application, environ: dict[str, Any]) -> None:
    answered: list[str] = []
    body = application(environ, lambda status, headers, *exc_info: answered.append(status))
    b"".join(body)
    body.close()
    assert answered == ["404 Not Found"]


def _environ() -> dict[str, Any]:
    """As the server makes it of a request for a path that nobody has."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/api/v1/nowhere",
        "QUERY_STRING": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "HTTP_ACCEPT": "application/json",
        "HTTP_USER_AGENT": "benchmark",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
    }
