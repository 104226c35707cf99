"""Changes made elsewhere (admin, shell, simplejwt's own tables) that must end sessions."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models.signals import post_save, pre_delete, pre_save
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from . import blacklist, epochs, roles, sessions, signing_keys
from .models import LoginSession
from .sessions import Reason


def connect() -> None:
    post_save.connect(user_saved, sender=get_user_model())
    pre_delete.connect(user_deleted, sender=get_user_model())
    roles.connect()
    if blacklist.installed():
        pre_save.connect(token_recorded, sender=OutstandingToken)
        post_save.connect(token_blacklisted, sender=BlacklistedToken)


def user_saved(
    instance: AbstractBaseUser,
    created: bool,
    raw: bool,
    update_fields: frozenset[str] | None,
    **_: Any,
) -> None:
    if created or raw or (update_fields is not None and update_fields.isdisjoint(epochs.WATCHED)):
        return
    with transaction.atomic():
        # The instance may carry changes that this save left out.
        stored = type(instance)._base_manager.get(pk=instance.pk)
        if epochs.follow(stored):
            sessions.end(sessions.of(stored), reason=Reason.USER_CHANGED)
        signing_keys.narrow(stored)


def user_deleted(instance: AbstractBaseUser, **_: Any) -> None:
    # The epoch before the sessions, as everybody takes them. It is made for those without one too:
    # this waits for logins and new keys under way, and lets no more of them in.
    epochs.hold(instance)
    sessions.void([instance.pk], reason=Reason.USER_DELETED)
    # Django looked for what goes with a user before it came here, and may have missed the latest.
    LoginSession.objects.filter(user_id=instance.pk).delete()


def token_recorded(instance: OutstandingToken, **_: Any) -> None:
    """Whoever writes here, no usable token gets in."""
    blacklist.seal(instance)


def token_blacklisted(instance: BlacklistedToken, **_: Any) -> None:
    """Somebody else's blacklisting; ours is in bulk and sends no signal."""
    family = LoginSession.objects.filter(
        refreshes__digest=instance.token.jti, refreshes__used_at=None
    )
    sessions.end(family, reason=Reason.BLACKLISTED)
