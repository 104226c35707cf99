"""Where a username and a password become a session: the only place that reads them."""

from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.http import HttpRequest

from . import epochs, errors, sessions, signals
from .models import LoginSession
from .sessions import TokenPair


def sign_in(
    request: HttpRequest, *, username: str, password: str, device: str = "", address: str = ""
) -> TokenPair:
    """Raises InvalidCredentials, the same for unknown, wrong and inactive."""
    user = check(request, username=username, password=password)
    pair = sessions.start(user, device=device, address=address)
    signals.login_succeeded.send_robust(LoginSession, user=user, session_id=pair.session)
    return pair


def check(request: HttpRequest, *, username: str, password: str) -> AbstractBaseUser:
    """Outside any transaction: a password check takes long enough to hold up every writer."""
    name = get_user_model().normalize_username(username)
    user = authenticate(request, username=name, password=password)
    if user is None:
        signals.login_failed.send_robust(LoginSession, username=name)
        raise errors.InvalidCredentials
    return user


def change_password(
    request: HttpRequest, *, session: LoginSession, current: str, new: str
) -> TokenPair:
    """Ends every session of the user and starts one anew for the caller."""
    user = check(request, username=session.user.get_username(), password=current)
    with transaction.atomic():
        if user.pk != session.user_id or epochs.hold(user) is None:
            raise errors.InvalidCredentials
        # It may have been ended while the password was being hashed.
        if not sessions.of(user).filter(pk=session.pk).select_for_update().exists():
            raise errors.TokenRevoked
        user.set_password(new)
        user.save(update_fields=["password"])
        return sessions.start(user, device=session.device, address=session.address)
