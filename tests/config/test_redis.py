import pytest
from django.core.cache import cache, caches
from django.core.exceptions import ImproperlyConfigured
from django_redis import get_redis_connection

from config import redis


@pytest.mark.parametrize(
    ("url", "default", "locks"),
    [
        ("redis://h:1", "redis://h:1/0", "redis://h:1/1"),
        ("redis://:pw@h:1/4", "redis://:pw@h:1/4", "redis://:pw@h:1/5"),
        ("rediss://h:1/0?ssl_cert_reqs=none", "rediss://h:1/0?ssl_cert_reqs=none", "rediss://h:1/1?ssl_cert_reqs=none"),
        ("unix:///run/v.sock", "unix:///run/v.sock?db=0", "unix:///run/v.sock?db=1"),
        ("unix:///run/v.sock?db=2", "unix:///run/v.sock?db=2", "unix:///run/v.sock?db=3"),
        ("redis+sentinel://a:1,b:2/main/3", "redis://main/3", "redis://main/4"),
        ("redis+sentinel://u:p@a:1/main", "redis://u:p@main/0", "redis://u:p@main/1"),
    ],
)  # fmt: skip
def test_each_alias_has_a_database_of_its_own(url: str, default: str, locks: str) -> None:
    made = redis.caches(url)
    assert made["default"]["LOCATION"] == default
    assert made["locks"]["LOCATION"] == locks
    assert len({alias["LOCATION"] for alias in made.values()}) == 4


def test_sentinels_are_passed_on() -> None:
    options = redis.caches("redis+sentinel://a:1,[::1]:2/main")["locks"]["OPTIONS"]
    assert options["SENTINELS"] == [("a", 1), ("::1", 2)]


@pytest.mark.parametrize(
    "url",
    [
        "http://h:1",
        "redis://h:1/x",
        "unix:///v.sock?db=x",
        "redis+sentinel://a:1",
        "redis+sentinel://a/main",
    ],
)
def test_a_url_that_makes_no_sense_names_the_variable(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL"):
        redis.caches(url)


def test_clearing_the_cache_leaves_the_locks_alone() -> None:
    get_redis_connection("locks").set("held", "1")
    cache.set("page", "1")
    cache.clear()
    assert caches["default"].get("page") is None
    assert get_redis_connection("locks").get("held") == b"1"
