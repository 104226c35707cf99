"""Leases kept by callers over HTTP.

Their locks are those of the program: ``x`` over HTTP is ``lock("x")``. But names that begin with
one of ``LOCKING["PRIVATE"]`` are out of their reach, so that no caller holds up the program where
it does not expect it. Nor does an operator, who may break such a lock, under its fence and on
record, and has no use for keeping one. Callers share all other names, and the token alone tells
whose lease it is. Nobody renews it but the caller.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock as Mutex
from typing import Any

from . import clock, durations, flows, inspection, names
from .conf import conf
from .drivers import drive
from .errors import LockPrivate, NotHeld
from .locks import lock
from .patterns import HTTP

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


def public(name: str) -> str:
    """The one spelling of a name that callers may use. Raises LockPrivate."""
    name = names.canonical(name)
    if name.startswith(conf().private):
        raise LockPrivate(name)
    return name


def seconds(lease: float | None) -> float:
    return durations.lease_seconds(conf().lease if lease is None else lease)


def acquire(
    name: str,
    *,
    lease: float | None,
    wait: float,
    meta: Mapping[str, Any] | None,
    token: str | None = None,
) -> RemoteLease:
    """Raises LockBusy; at once when too many callers of this process wait already.

    ``token``: made by the caller, for whom repeating the call then repeats its answer.
    """
    name, length = public(name), seconds(lease)
    told = {**(meta or {}), "via": HTTP}
    with seats.taken(wait, of=conf().http_waiters) as patience:
        # The caller has no part in a transaction that may be open here.
        wanted = lock(name, lease=length, wait=patience, renew=False, meta=told, in_atomic=True)
        got = replace(wanted, label=HTTP, token=token or "").acquire()
    return RemoteLease(
        name=got.name,
        token=got.token,
        fence=got.fence,
        lease=length,
        expires_in=got.remaining,
    )


def extend(name: str, token: str, *, lease: float | None) -> RemoteLease:
    """At least ``lease`` seconds from now. Raises NotHeld."""
    name, length = public(name), seconds(lease)
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
    name = public(name)
    if not drive(flows.release(_keys(name), token), conf().cache):
        raise NotHeld(name)


def _keys(name: str) -> tuple[str, ...]:
    return names.keys(conf().prefix, name)
