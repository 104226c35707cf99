"""The time it takes to know who sends a request: a bearer token, beside simplejwt's own way."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from secrets import token_hex
from statistics import median
from typing import Any

from django.http import HttpRequest

from .arena import workers
from .rounds import interleave, ratio
from .rows import Budget, Row

Trial = Callable[[], float]

OURS, FRESH, STOCK = "ours", "ours, first sight", "simplejwt"
BUDGET = Budget("≤", 0.8)


def measure(*, rounds: int = 1_000, requests: int = 2) -> list[Row]:
    """``requests``: of each round, so few that a busy machine seldom interrupts them."""
    with workers(1) as [worker]:
        database, seconds = worker.submit(_seconds, rounds, requests).result()
    figures = {name: 1e6 * median(found) for name, found in seconds.items()}
    return [
        Row(
            what=f"{what}, {database} : {STOCK}",
            ours=figures[name],
            unit="µs",
            peers={STOCK: figures[STOCK]},
            ratio=ratio(seconds[name], seconds[STOCK]),
            budget=budget,
        )
        for what, name, budget in (
            ("authenticated request", OURS, BUDGET),
            ("first request with a token", FRESH, None),
        )
    ]


def _seconds(rounds: int, requests: int) -> tuple[str, dict[str, list[float]]]:
    """By the kind of database and by contender, for one request."""
    from django.db import connection
    from rest_framework_simplejwt.authentication import JWTAuthentication
    from rest_framework_simplejwt.tokens import AccessToken as StockToken

    from accounts import sessions
    from accounts.authentication import BearerAuthentication

    with _user() as user:
        token = sessions.start(user).access
        trials: dict[str, Trial] = {
            OURS: _trial(BearerAuthentication(), lambda: token, requests),
            FRESH: _trial(BearerAuthentication(), partial(_another, user), requests),
            STOCK: _trial(JWTAuthentication(), partial(str, StockToken.for_user(user)), requests),
        }
        return connection.vendor, interleave(trials, rounds=rounds)


@contextmanager
def _user() -> Iterator[Any]:
    from django.contrib.auth.models import User

    user = User.objects.create_user(f"bench-{token_hex(8)}")
    try:
        yield user
    finally:
        user.delete()


def _another(user: Any) -> str:
    """A token of the same session whose signature nobody has checked yet."""
    from django.utils import timezone

    from accounts.models import LoginSession
    from accounts.tokens import AccessToken

    session = LoginSession.objects.get(user=user)
    return str(AccessToken.issue(session, generation=0, now=timezone.now()))


def _trial(authentication: Any, token: Callable[[], str], requests: int) -> Trial:
    def seconds_per_request() -> float:
        received = [_request(token()) for _ in range(requests)]
        # Whoever came before has filled the processor's caches with code of its own.
        authentication.authenticate(_request(token()))
        began = time.perf_counter()
        for request in received:
            authentication.authenticate(request)
        return (time.perf_counter() - began) / requests

    return seconds_per_request


def _request(token: str) -> Any:
    from rest_framework.request import Request

    request = HttpRequest()
    request.META["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return Request(request)
