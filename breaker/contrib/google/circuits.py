"""The circuits of Google's services, which know its errors."""

from breaker import get_breaker
from breaker.breaker import Breaker

from .classify import judge, requested_wait


def breaker(name: str) -> Breaker:
    return get_breaker(name, classify=judge, retry_after=requested_wait)
