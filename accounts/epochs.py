"""One counter per user. Tokens and sessions carry the value they were made under.

The counter moves when the password, ``is_active`` or a role changes. It remembers what it was
opened for as a digest, so a change made behind the signals' back (``QuerySet.update``, raw SQL)
is noticed by the next request as well.
"""

from functools import lru_cache

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import F

from . import keys
from .models import UserEpoch

WATCHED = ("password", "is_active", "is_staff", "is_superuser")


def standing(user: AbstractBaseUser) -> str:
    """Digest of all that, once changed, ends what was issued before."""
    return keys.digest("standing", *(repr(vars(user)[name]) for name in _watched(type(user))))


def lock(user: AbstractBaseUser) -> None:
    """Hold the user's epoch until the end of the transaction; makes it at the first login."""
    new = UserEpoch(user_id=user.pk, standing=standing(user))
    UserEpoch.objects.bulk_create([new], ignore_conflicts=True)
    UserEpoch.objects.select_for_update().get(pk=user.pk)


def follow(user: AbstractBaseUser) -> bool:
    """Move the epoch if ``user``, freshly read or saved, no longer is what it was opened for."""
    now = standing(user)
    outdated = UserEpoch.objects.filter(pk=user.pk).exclude(standing=now)
    return bool(outdated.update(value=F("value") + 1, standing=now))


def current(user: AbstractBaseUser) -> int:
    return UserEpoch.objects.values_list("value", flat=True).get(pk=user.pk)


@lru_cache(maxsize=8)
def _watched(model: type[models.Model]) -> tuple[str, ...]:
    present = {field.attname for field in model._meta.concrete_fields}
    return tuple(name for name in WATCHED if name in present)
