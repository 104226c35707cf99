"""One counter per user. Tokens and sessions carry the value they were made under.

The counter moves when the password, ``is_active`` or a role changes. It remembers what it was
opened for as a digest, so a change made behind the signals' back (``QuerySet.update``, raw SQL)
is noticed by the next request as well.
"""

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import F

from . import keys
from .models import UserEpoch

WATCHED = ("password", "is_active", "is_staff", "is_superuser")


def standing(user: AbstractBaseUser) -> str:
    """Digest of all that, once changed, ends what was issued before."""
    return keys.digest("standing", *(repr(getattr(user, name)) for name in _watched(type(user))))


def hold(user: AbstractBaseUser) -> int | None:
    """The user's epoch, locked to the end of the transaction.

    None when the user has changed since ``user`` was read: what was concluded from it is void.
    """
    UserEpoch.objects.bulk_create(
        [UserEpoch(user_id=user.pk, standing=standing(user))], ignore_conflicts=True
    )
    epoch = UserEpoch.objects.select_for_update().filter(pk=user.pk).first()
    fresh = type(user)._base_manager.filter(pk=user.pk).first()
    if epoch is None or fresh is None or standing(fresh) != standing(user):
        return None
    return epoch.value + follow(fresh)


def follow(user: AbstractBaseUser) -> bool:
    """Move the epoch if ``user``, freshly read, is no longer what it was opened for."""
    now = standing(user)
    outdated = UserEpoch.objects.filter(pk=user.pk).exclude(standing=now)
    return bool(outdated.update(value=F("value") + 1, standing=now))


def keep(user: AbstractBaseUser, *, since: str) -> None:
    """``user`` stands for the same as before, when the standing was ``since``."""
    UserEpoch.objects.filter(pk=user.pk, standing=since).update(standing=standing(user))


def advance(users: Collection[Any]) -> None:
    """Of the users with these keys. Who never signed in has no epoch, and nothing to lose."""
    # In one order, so that two of these cannot wait for each other.
    held = UserEpoch.objects.filter(pk__in=users).order_by("pk").select_for_update()
    UserEpoch.objects.filter(pk__in=list(held.values_list("pk", flat=True))).update(
        value=F("value") + 1
    )


def advance_all() -> None:
    UserEpoch.objects.update(value=F("value") + 1)


@lru_cache(maxsize=8)
def _watched(model: type[models.Model]) -> tuple[str, ...]:
    """Without the roles that a user model of one's own may lack; every one has the first two."""
    present = {field.attname for field in model._meta.concrete_fields}
    return tuple(name for name in WATCHED if name in present or name == "is_active")
