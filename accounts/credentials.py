"""Where a username and a password become a session: the only place that reads them."""

from dataclasses import replace

from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.http import HttpRequest

from . import attempts, audit, epochs, errors, login, sessions, signals, tidying
from .audit import Origin
from .models import EventKind, LoginSession
from .sessions import TokenPair


def sign_in(
    request: HttpRequest,
    *,
    username: str,
    password: str,
    device: str = "",
    device_token: str = "",
    address: str = "",
) -> TokenPair:
    """Raises InvalidCredentials, the same for unknown, wrong and inactive; AccountLocked and
    RateLimited for all of them as well."""
    login.show_device(request, token=device_token, label=device)
    user = check(request, username=username, password=password)
    if not login.admitted(request, user):
        attempts.demand_unlocked(user.pk)
    pair = sessions.start(user, device=device, address=address)
    audit.record(EventKind.SUCCEEDED, user.pk, origin=Origin(address, device))
    signals.login_succeeded.send_robust(LoginSession, user=user, session_id=pair.session)
    tidying.now_and_then()
    return replace(pair, device_token=login.device_token(request, user))


def check(request: HttpRequest, *, username: str, password: str) -> AbstractBaseUser:
    """Outside any transaction: a password check takes long enough to hold up every writer."""
    name = get_user_model().normalize_username(username)
    user = authenticate(request, username=name, password=password)
    if user is None:
        raise login.refusal(request) or errors.InvalidCredentials
    return user


def change_password(
    request: HttpRequest, *, session: LoginSession, current: str, new: str
) -> TokenPair:
    """Ends every session of the user and starts one anew for the caller."""
    user = check(request, username=session.user.get_username(), password=current)
    with transaction.atomic():
        # The user first, as whoever saves one does: in another order each could wait for the other.
        get_user_model()._base_manager.select_for_update().filter(pk=user.pk).first()
        if user.pk != session.user_id or epochs.hold(user) is None:
            raise errors.InvalidCredentials
        # It may have been ended while the password was being hashed.
        if not sessions.of(user).filter(pk=session.pk).select_for_update().exists():
            raise errors.TokenRevoked
        user.set_password(new)
        user.save(update_fields=["password"])
        return sessions.start(user, device=session.device, address=session.address)
