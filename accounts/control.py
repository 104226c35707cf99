"""What operators do; admin and commands call these."""

from datetime import datetime

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet

from . import blacklist, epochs, reencryption, sessions
from .models import LoginSession
from .reencryption import KeyUse


def end_sessions(chosen: QuerySet[LoginSession], *, reason: str) -> int:
    return sessions.end(chosen, reason=reason)


def revoke(user: AbstractBaseUser, *, reason: str) -> int:
    """Everything the user holds dies, a login now under way included. How many sessions ended."""
    with transaction.atomic():
        # Waits for a first login too, which has no epoch yet.
        epochs.hold(user)
        return sessions.void([user.pk], reason=reason)


def purge(*, now: datetime) -> int:
    """Forget sessions past their end, which none of their tokens outlives; how many."""
    with transaction.atomic():
        blacklist.purge(now)
        _, deleted = LoginSession.objects.filter(expires_at__lte=now).delete()
    return deleted.get("accounts.LoginSession", 0)


def reencrypt(*, drop: str | None = None) -> tuple[dict[str, int], list[KeyUse]]:
    """Seal everything with the first key: rows moved by column, and what each key is used for.

    Raises KeyInUse when the key named by ``drop`` has to stay.
    """
    moved = reencryption.run()
    if drop is not None:
        reencryption.refuse_unless_droppable(drop)
    return moved, reencryption.report()
