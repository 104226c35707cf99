import pytest
from django.core.checks import run_checks
from django.test import override_settings


def found(locking):
    with override_settings(LOCKING=locking):
        return [
            (message.id, message.msg)
            for message in run_checks()
            if message.id.startswith("locking.")
        ]


def test_the_projects_settings_are_right():
    assert found({"CACHE": "locks"}) == []
    assert found({"CACHE": "locks", "PREFIX": "p", "LEASE": 5, "WAIT": None}) == []
    assert found({"CACHE": "locks", "QUEUE_LIMIT": 1, "HTTP_WAITERS": 0}) == []
    assert found({"CACHE": "locks", "PRIVATE": ("generation:", "caf\u00e9")}) == []


@pytest.mark.parametrize(
    ("locking", "expected"),
    [
        ({"CASHE": "locks"}, [("locking.E001", "LOCKING has no 'CASHE'.")]),
        (
            {"LEASE": 0, "WAIT": "soon"},
            [
                (
                    "locking.E002",
                    "LOCKING['LEASE']: lease must be from 0.01 to 604800 seconds.",
                ),
                (
                    "locking.E002",
                    "LOCKING['WAIT']: wait must be seconds or a timedelta, not str.",
                ),
            ],
        ),
        ({"PREFIX": ""}, [("locking.E002", "LOCKING['PREFIX']: must be text without braces.")]),
        ({"PREFIX": "a{b"}, [("locking.E002", "LOCKING['PREFIX']: must be text without braces.")]),
        ({"PREFIX": 7}, [("locking.E002", "LOCKING['PREFIX']: must be text without braces.")]),
        *(
            ({key: wrong}, [("locking.E002", f"LOCKING['{key}']: must be a number, 0 or more.")])
            for key in ("HTTP_WAITERS",)
            for wrong in (-1, "8", True, None)
        ),
        *(
            (
                {"QUEUE_LIMIT": wrong},
                [("locking.E002", "LOCKING['QUEUE_LIMIT']: must be a number, 1 or more.")],
            )
            for wrong in (0, -1, "8", True, None)
        ),
        *(
            (wrong, [("locking.E002", "LOCKING must be a dict.")])
            for wrong in ([], None, "locks", 5)
        ),
        *(
            (
                {"PRIVATE": wrong},
                [("locking.E002", "LOCKING['PRIVATE']: must be a tuple of beginnings of names.")],
            )
            for wrong in ("generation:", ["generation:"], None, (7,), ("",), ("a", "cafe\u0301"))
        ),
        (
            {"MAX_HOLD": "long"},
            [
                (
                    "locking.E002",
                    "LOCKING['MAX_HOLD']: max_hold must be seconds or a timedelta, not str.",
                )
            ],
        ),
        (
            {"CACHE": "nowhere"},
            [("locking.E003", "LOCKING['CACHE']: there is no cache 'nowhere'.")],
        ),
    ],
    ids=repr,
)
def test_a_wrong_setting_is_an_error_that_names_it(locking, expected):
    assert found(locking) == expected


def test_a_cache_that_is_not_redis_is_a_warning():
    memory = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    with override_settings(CACHES=memory):
        assert [id for id, _ in found({})] == ["locking.W001"]


@pytest.mark.parametrize(
    ("cache", "told"),
    [
        ({}, True),
        ({"OPTIONS": {"SOCKET_TIMEOUT": None}}, True),
        ({"OPTIONS": {"SOCKET_TIMEOUT": 1}}, False),
        ({"OPTIONS": {"CONNECTION_POOL_KWARGS": {"socket_timeout": 1}}}, False),
        ({"LOCATION": "redis://localhost/1?socket_timeout=1"}, False),
    ],
    ids=repr,
)
def test_a_store_that_may_keep_callers_waiting_is_a_warning(cache, told):
    store = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://localhost/1"}
    with override_settings(CACHES={"default": {**store, **cache}}):
        assert [id for id, _ in found({})] == ["locking.W002"] * told
