"""What operators and probes ask of the locks. Each raises LockUnavailable if the store is down."""

import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

from django.db import router, transaction

from . import inspection, names, patterns, scripts, signals
from .conf import conf
from .drivers import drive
from .errors import HolderChanged, LockBusy, LockInvalid, LockUnavailable
from .holders import Holder
from .inspection import Cursor, LockStatus
from .locks import Lock, lock
from .models import ForcedRelease, Outcome
from .names import Kind
from .options import LARGEST_FENCE
from .steps import Flow, Run, ask

logger = logging.getLogger(__name__)

PROBE = "locking:probe"
# As many locks as an overview looks at; and as many of those who hold or wait for a lock as a list
# and a single lock tell of.
OVERVIEW, FEW, MANY = 500, 5, 100
# Rows of a page; characters of a reason.
LONGEST_PAGE, LONGEST_REASON = 200, 500
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """``oldest_hold`` in seconds, None when nothing is held.

    ``partial``: of very many locks only the first to end were looked at, so that ``waiting``,
    ``oldest_hold`` and ``patterns`` are of those.
    """

    held: int
    waiting: int
    oldest_hold: float | None
    partial: bool = False
    patterns: tuple["PatternOverview", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternOverview:
    """The locks held whose names are of one pattern."""

    pattern: str
    held: int
    waiting: int
    oldest_hold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPage:
    """``following`` is the cursor of the next page, None on the last."""

    rows: list[LockStatus]
    following: str | None


def held(
    *, cursor: str | None = None, limit: int = 50, prefix: str = "", without: tuple[str, ...] = ()
) -> HeldPage:
    """Locks now held whose names begin with ``prefix``, those that end soonest first.

    Names that begin with one of ``without`` are left out.

    A lock held throughout is on some page; one whose lease is extended meanwhile may be on two.
    With either, pages hold what is left of ``limit`` rows. Raises LockInvalid for a cursor that
    never was, and for a limit that is not from 1 to 200.
    """
    if not 1 <= limit <= LONGEST_PAGE:
        raise LockInvalid(f"limit must be from 1 to {LONGEST_PAGE}.")
    page = inspection.page(Cursor.parse(cursor) if cursor else Cursor(), limit)
    store = conf().prefix
    found = ((key, names.from_key(store, key)) for key in page.keys)
    wanted = [
        key for key, name in found if name.startswith(prefix) and not name.startswith(without)
    ]
    rows = [row for row in inspection.look(wanted, most=FEW) if row.holds]
    return HeldPage(rows=rows, following=str(page.following) if page.following else None)


def detail(name: str, *, kind: Kind = Kind.LOCK) -> LockStatus:
    """All that is known of a lock, held or not."""
    return inspection.look([_keys(names.canonical(name), kind)[0]], most=MANY)[0]


def _keys(name: str, kind: Kind) -> tuple[str, ...]:
    if kind is Kind.LOCK:
        return names.keys(conf().prefix, name)
    return names.share_keys(conf().prefix, kind, name)


def overview() -> Overview:
    page = inspection.page(Cursor(), OVERVIEW)
    rows = [row for row in inspection.look(page.keys, most=1) if row.holds]
    groups = tuple(_by_pattern(rows))
    return Overview(
        held=page.held if page.following else len(rows),
        waiting=sum(group.waiting for group in groups),
        oldest_hold=max((group.oldest_hold for group in groups), default=None),
        partial=page.following is not None,
        patterns=groups,
    )


def _by_pattern(rows: list[LockStatus]) -> Iterator[PatternOverview]:
    for pattern, alike in groupby(sorted(rows, key=_pattern), key=_pattern):
        group = list(alike)
        yield PatternOverview(
            pattern=pattern,
            held=len(group),
            waiting=sum(row.waiting for row in group),
            oldest_hold=max(row.holder.held_for for row in group if row.holder),
        )


def _pattern(row: LockStatus) -> str:
    over_http = row.holder and row.holder.meta.get("via") == patterns.HTTP
    return patterns.HTTP if over_http else patterns.pattern(row.name)


def probe() -> None:
    """Acquire and release a lock of its own."""
    try:
        with lock(PROBE, lease=1, wait=0, renew=False, in_atomic=True):
            pass
    except LockBusy:
        # Another prober holds it, so the store grants locks.
        return


def force_release(
    name: str, *, kind: Kind = Kind.LOCK, fence: int, actor: str, reason: str
) -> ForcedRelease:
    """Take the lock from the holder under ``fence``, and nobody else; raises HolderChanged.

    ``actor`` is who wants it. The record of it is committed before anything is done, so this
    refuses to run inside a transaction. Raises LockInvalid for a fence that cannot be, and without
    a reason.
    """
    name, reason = names.canonical(name), reason.strip()
    _check(fence, reason)
    keys = _keys(name, kind)
    (found,) = inspection.look([keys[0]], most=1, fence=fence)
    holder = next((hold.holder for hold in found.holds if hold.holder.fence == fence), None)
    record = _record(found, holder, fence=fence, actor=actor, reason=reason)
    with _outcome(record):
        if not drive(_force(keys, fence), conf().cache):
            raise HolderChanged(name, fence=fence)
    meta = holder.meta if holder else {}
    signals.tell(
        signals.lock_forced, Lock, name=name, fence=fence, actor=actor, reason=reason, meta=meta
    )
    return record


def _check(fence: int, reason: str) -> None:
    if not 1 <= fence <= LARGEST_FENCE:
        raise LockInvalid(f"A fence is from 1 to {LARGEST_FENCE}.")
    if not 0 < len(reason) <= LONGEST_REASON or _NO_TEXT.search(reason):
        raise LockInvalid(f"A reason must be given, in 1 to {LONGEST_REASON} characters.")


def _record(
    found: LockStatus, holder: Holder | None, *, fence: int, actor: str, reason: str
) -> ForcedRelease:
    record = ForcedRelease(
        name=found.name,
        kind=found.kind,
        fence=fence,
        actor=actor[:254],
        reason=reason,
    )
    if holder:
        record.holder = f"{holder.host}:{holder.pid}:{holder.thread}"
        record.meta = json.dumps(dict(holder.meta))
    with transaction.atomic(using=router.db_for_write(ForcedRelease), durable=True):
        record.save(force_insert=True)
    return record


@contextmanager
def _outcome(record: ForcedRelease) -> Iterator[None]:
    outcome = Outcome.PENDING
    try:
        yield
        outcome = Outcome.RELEASED
    except HolderChanged:
        outcome = Outcome.STALE
        raise
    except LockUnavailable:
        outcome = Outcome.UNANSWERED
        raise
    finally:
        record.outcome = outcome
        record.save(update_fields=["outcome"])
        logger.warning(
            "Lock %r, fence %s: forced release by %s: %s",
            record.name, record.fence, record.actor, outcome,
        )  # fmt: skip


def _force(keys: tuple[str, ...], fence: int) -> Flow[bool]:
    """Repeating it with the same arguments after a lost reply repeats the answer."""
    run = Run(scripts.protocol(keys).force, keys, (fence, os.urandom(16).hex()))
    taken, more = yield from ask(run)
    while more:
        _, more = yield from ask(run)
    return bool(taken)
