"""How often somebody may come: the same whether Redis counts or the database."""

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.cache import caches
from django.db import connections
from django.test import RequestFactory
from django.utils import timezone
from django_redis import get_redis_connection
from pytest_django import Settings

from accounts import limiter, signals
from accounts.errors import RateLimited
from accounts.limiter import Slot
from accounts.limits import Limit, failed_logins, logins
from accounts.models import AuthEvent, EventKind, LoginGuard, RateWindow
from tests.servers import Valkey

from .conftest import PASSWORD, Call
from .test_login import heard

pytestmark = pytest.mark.django_db

THREE = Limit("calls", "somebody", 3, 60)
LOCAL = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


@pytest.fixture(params=["redis", "database"])
def store(request: pytest.FixtureRequest, settings: Settings) -> str:
    if request.param == "database":
        settings.CACHES = {**settings.CACHES, **LOCAL}
        settings.ACCOUNTS = {**settings.ACCOUNTS, "CACHE": "default"}
    return str(request.param)


@pytest.fixture
def early_in_the_window(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], datetime]:
    """Sets the clock so many seconds after a full minute."""
    start = datetime(2026, 1, 1, tzinfo=UTC)

    def at(seconds: float) -> datetime:
        now = start + timedelta(seconds=seconds)
        monkeypatch.setattr(limiter.timezone, "now", lambda: now)
        return now

    return at


def test_no_more_than_the_limit_are_let_in(store: str) -> None:
    for _ in range(3):
        limiter.take([THREE])
    with pytest.raises(RateLimited) as refused:
        limiter.take([THREE])
    assert 0 < refused.value.retry_after <= 60
    limiter.take([Limit("calls", "somebody else", 3, 60)])
    limiter.take([Limit("other calls", "somebody", 3, 60)])


def test_a_try_that_is_given_back_leaves_its_place(store: str) -> None:
    slots = [limiter.take([THREE]) for _ in range(3)]
    limiter.give_back([THREE], slots[1])
    limiter.take([THREE])
    with pytest.raises(RateLimited):
        limiter.take([THREE])


def test_who_is_refused_by_one_limit_counts_under_none(store: str) -> None:
    one = Limit("calls", "one", 1, 60)
    limiter.take([one])
    for _ in range(5):
        with pytest.raises(RateLimited):
            limiter.take([THREE, one])
    for _ in range(3):
        limiter.take([THREE])


def test_nothing_to_count_is_let_in_without_a_trip(store: str) -> None:
    limiter.give_back([], limiter.take([]))


def test_redis_keeps_its_own_time_and_forgets(settings: Settings) -> None:
    short = Limit("calls", "somebody", 1, 1)
    limiter.take([short])
    client = redis.Redis.from_url(settings.CACHES["accounts"]["LOCATION"])
    (key,) = client.keys("*limit*")
    assert 0 < client.pttl(key) <= 1_000
    # As if the try had come two seconds earlier.
    member, score = client.zrange(key, 0, 0, withscores=True)[0]
    client.zadd(key, {member: score - 2_000_000})
    limiter.take([short])
    client.close()


def test_keys_tell_no_address(settings: Settings) -> None:
    limiter.take(logins(["192.0.2.7/32"], 20))
    with redis.Redis.from_url(settings.CACHES["accounts"]["LOCATION"]) as client:
        (key,) = client.keys("*")
    assert key.decode().startswith(f"{caches['accounts'].key_prefix}:limit:")
    assert b"192" not in key


@pytest.mark.parametrize("store", ["database"], indirect=True)
def test_the_database_lets_the_window_slide(
    store: str, early_in_the_window: Callable[[float], datetime]
) -> None:
    ten = Limit("calls", "somebody", 10, 60)
    early_in_the_window(30)
    for _ in range(10):
        limiter.take([ten])
    early_in_the_window(60 + 29)
    slots = []
    # Of the ten before, about half are still in sight.
    for _ in range(4):
        slots.append(limiter.take([ten]))
    with pytest.raises(RateLimited) as refused:
        limiter.take([ten])
    assert refused.value.retry_after == 31
    early_in_the_window(180)
    for _ in range(10):
        limiter.take([ten])
    limiter.give_back([ten], slots[0])
    with pytest.raises(RateLimited):
        limiter.take([ten])


@pytest.mark.parametrize("store", ["database"], indirect=True)
def test_a_clock_that_lags_opens_no_window(
    store: str, early_in_the_window: Callable[[float], datetime]
) -> None:
    early_in_the_window(60)
    for _ in range(3):
        limiter.take([THREE])
    early_in_the_window(59)
    with pytest.raises(RateLimited):
        limiter.take([THREE])


@pytest.mark.parametrize("store", ["database"], indirect=True)
def test_windows_that_are_over_are_forgotten(store: str) -> None:
    limiter.take([THREE])
    assert not limiter.past(timezone.now()).exists()
    assert limiter.past(timezone.now() + timedelta(minutes=5)).delete()[0] == 1
    assert not RateWindow.objects.exists()


def test_a_site_of_ipv6_may_come_four_times_as_often() -> None:
    found = failed_logins(["2001:db8:1:2::/64", "2001:db8:1::/48"], 20)
    assert [(limit.name, limit.tries) for limit in found] == [
        ("failed logins", 20),
        ("failed logins", 80),
    ]


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_a_crowd_only_so_many_get_in(store: str) -> None:
    barrier = threading.Barrier(12, timeout=30)

    def take(_: int) -> str:
        try:
            barrier.wait()
            limiter.take([THREE])
            return "in"
        except RateLimited:
            return "out"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(12) as pool:
        assert Counter(pool.map(take, range(12))) == {"in": 3, "out": 9}


@pytest.fixture
def few(settings: Settings) -> Iterator[None]:
    settings.ACCOUNTS = {**settings.ACCOUNTS, "LOGIN_RATE": 6, "FAILURE_RATE": 3}
    yield


def codes(call: Call, number: int, password: str, *, name: str = "ada") -> list[int]:
    body = {"username": name, "password": password}
    return [call("POST", "token", body).status_code for _ in range(number)]


def test_logins_of_one_address_are_limited(user: User, few: None, call: Call) -> None:
    assert codes(call, 8, PASSWORD) == [200] * 6 + [429] * 2
    answer = call("POST", "token", {"username": "ada", "password": PASSWORD})
    assert answer.json()["code"] == "rate_limited"
    assert 0 < int(answer.headers["Retry-After"]) <= 60


def test_failures_of_one_address_are_limited_whatever_the_name(
    user: User, few: None, call: Call
) -> None:
    for number in range(3):
        assert codes(call, 1, "wrong", name=f"name {number}") == [401]
    before = LoginGuard.objects.count()
    assert codes(call, 1, "wrong", name="another") == [429]
    assert LoginGuard.objects.count() == before


def test_that_logins_come_too_often_is_on_record_once_a_minute(
    user: User, few: None, call: Call, rf: RequestFactory
) -> None:
    address = f"198.19.{secrets.randbelow(256)}.7"
    request = rf.post("/", REMOTE_ADDR=address)
    with heard(signals.login_refused) as facts:
        for number in range(6):
            authenticate(request, username=f"name {number}", password="wrong")
    assert {fact["code"] for fact in facts} == {"rate_limited"}
    event = AuthEvent.objects.get(kind=EventKind.LIMITED)
    assert event.network == f"{address.rpartition('.')[0]}.0/24"


def test_a_success_gives_back_its_own_place_among_failures_and_no_other(
    user: User, few: None, call: Call
) -> None:
    assert codes(call, 2, "wrong") == [401] * 2
    assert codes(call, 2, PASSWORD) == [200] * 2
    assert codes(call, 2, "wrong", name="another") == [401, 429]


def test_redis_tells_how_it_stands_with_each_limit() -> None:
    client = get_redis_connection("accounts")
    both = [THREE, Limit("calls of all", "all", 2, 60)]
    for left in ([2, 1], [1, 0]):
        found = limiter.take_in_redis(client, both, f"try {left}")
        assert (found.wait, found.left) == (0, left)
        assert all(0 < more <= 60 for more in found.more_in)
    refused = limiter.take_in_redis(client, both, "one too many")
    assert refused.left == [1, 0]
    assert 0 < refused.wait == refused.more_in[1] <= 60


def test_killing_redis_lets_nobody_guess_on(
    user: User, few: None, call: Call, settings: Settings, own_valkey: Valkey
) -> None:
    settings.CACHES = {
        **settings.CACHES,
        "accounts": {**settings.CACHES["accounts"], "LOCATION": own_valkey.url},
    }
    assert codes(call, 1, "wrong") == [401]
    own_valkey.stop()
    assert codes(call, 4, "wrong", name="another") == [401] * 3 + [429]
    assert RateWindow.objects.count() == 2


def test_a_caller_without_an_address_is_limited_by_the_account_alone(user: User) -> None:
    calls: list[Any] = [limiter.take(logins([], 1)) for _ in range(3)]
    assert all(isinstance(slot, Slot) for slot in calls)
