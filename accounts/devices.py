"""Device tokens: what an owner's device shows to be told from strangers (OWASP's device cookie).

A token says that its bearer once knew the password of this account. It lets nobody in: it only
has five tries of its own, so that strangers who lock an account do not lock its owner out.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import keys

LONGEST = 200


@dataclass(frozen=True, slots=True)
class Device:
    id: str
    issued: int
    """Unix seconds."""

    @property
    def body(self) -> str:
        return f"1.{self.id}.{self.issued}"


def issue(user_pk: Any, *, known: str | None, now: datetime) -> str:
    """A device that is known keeps its id, so that one who collects tokens has no more tries."""
    device = Device(known or secrets.token_urlsafe(16), int(now.timestamp()))
    return f"{device.body}.{_mac(user_pk, device)}"


def recognise(token: str, user_pk: Any, *, lifetime: int, now: datetime) -> str | None:
    """The id of a device of this user. Whatever else is presented makes a stranger."""
    body, _, mac = token.rpartition(".")
    match body.split("."):
        case ["1", str(name), str(issued)] if issued.isdecimal() and issued.isascii():
            device = Device(name, int(issued[:12]))
        case _:
            return None
    genuine = hmac.compare_digest(mac.encode("utf-8", "replace"), _mac(user_pk, device).encode())
    if not genuine or device.issued + lifetime <= now.timestamp():
        return None
    return device.id


def _mac(user_pk: Any, device: Device) -> str:
    return keys.digest("device token", str(user_pk), device.body)
