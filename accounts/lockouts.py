"""What operators see of locks, and do about them."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from . import audit, signals
from .conf import conf
from .models import EventKind, LoginGuard


def locked() -> QuerySet[LoginGuard]:
    """What is locked now."""
    now = Q(hard=True) | Q(locked_until__gt=timezone.now())
    return LoginGuard.objects.filter(now).select_related("user")


def networks(guards: Iterable[LoginGuard]) -> dict[str, list[str]]:
    """Where the failures came from that locked these, by digest."""
    since = timezone.now() - timedelta(seconds=conf().lockout_quiet + conf().lockout_longest)
    return audit.networks([guard.digest for guard in guards], since=since)


def unlock(chosen: QuerySet[LoginGuard], *, actor: str, reason: str) -> int:
    """End locks, of all devices of the same users too, and forget what led to them; how many."""
    users = [pk for pk in chosen.values_list("user_id", flat=True) if pk is not None]
    of_them = LoginGuard.objects.filter(Q(pk__in=chosen.values("pk")) | Q(user_id__in=users))
    with transaction.atomic():
        found = list(of_them.filter(pk__in=locked()).order_by("pk").select_for_update())
        of_them.filter(pk__in=[guard.pk for guard in found]).update(
            failed=0, pending=0, level=0, hard=False, locked_until=None,
            generation=F("generation") + 1,
        )  # fmt: skip
        for guard in found:
            _note(EventKind.UNLOCKED, guard, actor, reason)
            tell = partial(
                signals.account_unlocked.send_robust, LoginGuard, guard_id=guard.pk,
                user_id=guard.user_id, actor=actor, reason=reason,
            )  # fmt: skip
            transaction.on_commit(tell)
    return len(found)


def lock_hard(chosen: QuerySet[LoginGuard], *, actor: str, reason: str) -> int:
    """Lock until an operator unlocks, devices of the owner included; how many were not yet so."""
    with transaction.atomic():
        soft = LoginGuard.objects.filter(pk__in=chosen.values("pk"), hard=False)
        fresh = list(soft.order_by("pk").select_for_update())
        LoginGuard.objects.filter(pk__in=[guard.pk for guard in fresh]).update(
            hard=True, pending=0, generation=F("generation") + 1
        )
        for guard in fresh:
            _note(EventKind.LOCKED, guard, actor, reason)
    return len(fresh)


def _note(kind: EventKind, guard: LoginGuard, actor: str, reason: str) -> None:
    audit.event(kind, guard.user_id, guard.digest, detail=f"by {actor}: {reason}").save()
