"""A crowd that guesses, each on a connection of its own."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from pytest_django import Settings
from rest_framework.test import APIRequestFactory

from accounts import passwords, signals
from accounts.models import AuthEvent, EventKind, LoginGuard
from accounts.views import TokenView

from .conftest import PASSWORD
from .hashers import Counting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

GUESSES, THREADS = 100, 20


@pytest.fixture
def checked(settings: Settings, user: User) -> Iterator[list[str]]:
    settings.PASSWORD_HASHERS = ["tests.accounts.hashers.Counting"]
    bob = User.objects.create_user("bob", password=PASSWORD)
    # The first failure of a process looks around for hashes of other kinds, and makes one.
    passwords.costs.level("x", bob.password)
    Counting.checked.clear()
    yield Counting.checked
    Counting.checked.clear()


@pytest.fixture
def locks() -> Iterator[list[Any]]:
    heard: list[Any] = []

    def hear(sender: Any, signal: Any, **facts: Any) -> None:
        heard.append(facts)

    signals.account_locked.connect(hear)
    yield heard
    signals.account_locked.disconnect(hear)


def crowd(name: str, passwords: list[str]) -> Counter[int]:
    """How often each status was the answer. Everybody comes from somewhere else."""
    view, barrier = TokenView.as_view(), threading.Barrier(THREADS, timeout=30)

    def several(share: list[tuple[int, str]]) -> list[int]:
        try:
            barrier.wait()
            return [ask(*each) for each in share]
        finally:
            connections.close_all()

    def ask(number: int, password: str) -> int:
        body = {"username": name, "password": password}
        request = APIRequestFactory().post("/", body, format="json")
        request.META["REMOTE_ADDR"] = f"10.0.0.{number}"
        return int(view(request).status_code)

    numbered = list(enumerate(passwords))
    with ThreadPoolExecutor(THREADS) as pool:
        answers = pool.map(several, [numbered[start::THREADS] for start in range(THREADS)])
        return Counter(status for each in answers for status in each)


@pytest.mark.parametrize("name", ["bob", "nobody"])
def test_of_a_hundred_guesses_at_once_five_are_looked_at_and_one_lock_falls(
    name: str, checked: list[str], locks: list[Any]
) -> None:
    answers = crowd(name, [f"guess {number}" for number in range(GUESSES)])
    assert answers[401] == len(checked) == 5
    assert answers.keys() <= {401, 423, 429}
    assert len(locks) == AuthEvent.objects.filter(kind=EventKind.LOCKED).count() == 1
    guard = LoginGuard.objects.get()
    assert (guard.failed, guard.pending, guard.level) == (5, 0, 1)
    assert crowd(name, [PASSWORD] * THREADS) == {423: THREADS}


def test_owners_who_come_at_once_are_never_locked(checked: list[str], locks: list[Any]) -> None:
    answers = crowd("bob", [PASSWORD] * 2 * THREADS)
    assert answers.keys() <= {200, 429}
    assert answers[200] >= 5
    guard = LoginGuard.objects.get()
    assert (guard.failed, guard.pending, guard.level, locks) == (0, 0, 0, [])
