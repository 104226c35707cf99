"""The Redis of accounts: fast, shared, and allowed to be away."""

import redis
from django_redis import get_redis_connection

from .conf import conf


def client() -> redis.Redis | None:
    """None where the cache is not one of django-redis, which a check has warned of."""
    try:
        return get_redis_connection(conf().cache)  # type: ignore[no-any-return]
    except NotImplementedError:
        return None
