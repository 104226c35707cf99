"""Terms for tests that ask by hand."""

from typing import Any

from locking.terms import Terms

PLAIN: dict[str, Any] = {
    "lease": 10.0,
    "wait": None,
    "fair": True,
    "renew": False,
    "max_hold": 3600.0,
    "reentrant": False,
    "hold_at_least": 0.0,
    "cancel_on_lost": False,
    "durability": None,
    "in_atomic": False,
    "most_waiting": 100,
    "alias": "locks",
    "quarantine": False,
}


def terms(**options: Any) -> Terms:
    return Terms(**{**PLAIN, **options})
