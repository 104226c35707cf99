"""How often one caller may come to the API, counted over all processes by one trip to Redis.

While the store is out of reach everybody passes. These limits share out what the service can do;
to refuse everybody instead would make of a lost counter an outage of all. What guards secrets, the
limits of logins and the lock of accounts, never passes anybody unseen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from django.http import HttpRequest
from django_redis import get_redis_connection
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts import addresses, limiter, limits
from accounts.limiter import Count
from accounts.limits import MINUTE, Limit
from accounts.signing import SignedBy
from config.current import note, unique
from config.outage import Outage

# Where a request keeps what was counted for it.
COUNTED = "mainstay.counted"

outage = Outage("requests are not limited")


@dataclass(frozen=True, slots=True)
class Counted:
    limits: Sequence[Limit]
    count: Count | None
    """None if nobody counted."""

    @property
    def wait(self) -> float:
        return self.count.wait if self.count else 0.0

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers-11 has them, the tightest limit in the second."""
        if self.count is None:
            return {}
        policies = [f'"{limit.name}";q={limit.tries};w={limit.window}' for limit in self.limits]
        standing = zip(self.count.left, self.count.more_in, self.limits, strict=True)
        left, more_in, limit = min(standing, key=lambda each: (each[0], -each[1]))
        return {
            "RateLimit-Policy": ", ".join(policies),
            "RateLimit": f'"{limit.name}";r={left};t={math.ceil(more_in)}',
        }


class CallerThrottle(BaseThrottle):
    """Where DRF knows who calls; for those who showed credentials."""

    def allow_request(self, request: Request, view: Any) -> bool:
        plain = request._request
        if COUNTED in plain.META:
            return True
        self.counted = count(plain, of_caller(request))
        return not self.counted.wait

    def wait(self) -> float:
        return self.counted.wait


def of_address(request: HttpRequest) -> list[Limit]:
    tries = settings.RATE_LIMITS["ADDRESS"]
    blocks = addresses.blocks(request.META.get("REMOTE_ADDR", "")) if tries else []
    near, site = limits.for_blocks("address", blocks[:1], tries), blocks[1:]
    return near + limits.for_blocks("site", site, tries)


def of_caller(request: Request) -> list[Limit]:
    if request.user.pk is None:
        return of_address(request._request)
    note(user=str(request.user.pk))
    match request.auth:
        case SignedBy(keyid):
            name, subject = "key", keyid
        case _:
            name, subject = "user", str(request.user.pk)
    tries = settings.RATE_LIMITS["USER"]
    return [Limit(name, subject, tries, MINUTE)] if tries else []


def count(request: HttpRequest, found: Sequence[Limit]) -> Counted:
    counted = request.META[COUNTED] = Counted(found, _ask(found))
    return counted


def _ask(found: Sequence[Limit]) -> Count | None:
    if not found or not outage.may_ask():
        return None
    try:
        client = get_redis_connection(settings.ACCOUNTS["CACHE"])
        count = limiter.take_in_redis(client, found, unique(24))
    except redis.RedisError as error:
        outage.failed(error)
        return None
    outage.answered()
    return count
