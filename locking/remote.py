"""Leases kept by callers over HTTP.

All their locks live under names that begin with ``api:``, so that no caller can take, hold up or
free a lock of the program itself; program code that wants to meet them names its lock so. Callers
share these names, and the token alone tells whose lease it is. Nobody renews it but the caller.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock as Mutex
from typing import Any

from . import clock, durations, flows, inspection, names
from .conf import conf
from .drivers import drive
from .errors import NotHeld
from .locks import lock
from .patterns import API

SHORTEST_LEASE, LONGEST_LEASE = 0.1, 3600.0
LONGEST_WAIT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteLease:
    """``lease`` and ``expires_in`` in seconds."""

    name: str
    token: str
    fence: int
    lease: float
    expires_in: float


class Seats:
    """Those who wait keep a thread of the server each, so only so many may."""

    def __init__(self) -> None:
        self._taken = 0
        self._mutex = Mutex()

    @contextmanager
    def taken(self, wait: float, *, of: int) -> Iterator[float]:
        """For how long the caller may wait: not at all when no seat is left."""
        with self._mutex:
            seated = wait > 0 and self._taken < of
            self._taken += seated
        try:
            yield wait if seated else 0.0
        finally:
            with self._mutex:
                self._taken -= seated


seats = Seats()


def named(name: str) -> str:
    """The whole name of a lock that a caller names with or without ``api:``."""
    return names.canonical(name if name.startswith(API) else API + name)


def seconds(lease: float | None) -> float:
    return durations.lease_seconds(conf().lease if lease is None else lease)


def acquire(
    name: str, *, lease: float | None, wait: float, meta: Mapping[str, Any] | None
) -> RemoteLease:
    """Raises LockBusy; at once when too many callers of this process wait already."""
    length = seconds(lease)
    with seats.taken(wait, of=conf().http_waiters) as patience:
        # The caller has no part in a transaction that may be open here.
        wanted = lock(
            named(name), lease=length, wait=patience, renew=False, meta=meta, in_atomic=True
        )
        got = wanted.acquire()
    return RemoteLease(
        name=got.name,
        token=got.token,
        fence=got.fence,
        lease=length,
        expires_in=got.remaining,
    )


def extend(name: str, token: str, *, lease: float | None) -> RemoteLease:
    """At least ``lease`` seconds from now. Raises NotHeld."""
    name, length = named(name), seconds(lease)
    # Looked at before: whoever still holds it afterwards held it then.
    before, looked = inspection.look([_keys(name)[0]], most=1)[0], clock.now()
    flow = flows.extend(_keys(name), token, length, until=looked + length, clock=clock.now)
    deadline = drive(flow, conf().cache)
    if deadline is None or before.holder is None or before.expires_in is None:
        raise NotHeld(name)
    return RemoteLease(
        name=name,
        token=token,
        fence=before.holder.fence,
        lease=length,
        expires_in=max(deadline, looked + before.expires_in) - clock.now(),
    )


def release(name: str, token: str) -> None:
    """Releasing once more is no error. Raises NotHeld."""
    name = named(name)
    if not drive(flows.release(_keys(name), token), conf().cache):
        raise NotHeld(name)


def _keys(name: str) -> tuple[str, ...]:
    return names.keys(conf().prefix, name)
