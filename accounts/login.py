"""The one way to a password check: limits, then the guard, then the hash.

Whatever calls ``authenticate()`` comes through here: the token endpoint, the admin, the old
password before a change, Basic authentication. Django stops asking backends when one raises
PermissionDenied; why it did is noted on the request, for those who can tell their caller.
"""

from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from . import attempts, audit, devices, limiter, limits, passwords, signals
from .addresses import blocks, network
from .attempts import Subject, Try
from .audit import Origin
from .conf import conf
from .errors import AccountLocked, AccountsError, RateLimited
from .models import Dimension, EventKind, LoginSession

DEVICE, REFUSAL, ADMITTED = "accounts.device", "accounts.refusal", "accounts.admitted"


@dataclass(frozen=True, slots=True)
class Shown:
    """What the caller says of its device."""

    token: str = ""
    label: str = ""


class Refused(PermissionDenied):
    """No password was looked at."""


def show_device(request: HttpRequest, *, token: str = "", label: str = "") -> None:
    """Before ``authenticate()``: the device token that the caller presented."""
    request.META[DEVICE] = Shown(token, label)


def refusal(request: HttpRequest) -> AccountsError | None:
    """Why ``authenticate()`` looked at no password."""
    error: AccountsError | None = request.META.get(REFUSAL)
    return error


def admitted(request: HttpRequest, user: AbstractBaseUser) -> bool:
    """Whether it was our backend that let this user in."""
    return bool(request.META.get(ADMITTED) == user.pk)


def device_token(request: HttpRequest, user: AbstractBaseUser) -> str | None:
    """For the device of a user who has just come in; None if they are switched off."""
    if not conf().device_lifetime:
        return None
    return devices.issue(user.pk, known=_device_of(request, user), now=timezone.now())


class LockoutBackend(ModelBackend):
    """To be the first of ``AUTHENTICATION_BACKENDS``: others are asked when this one says no."""

    @sensitive_variables("password")
    def authenticate(  # type: ignore[override]
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> AbstractBaseUser | None:
        name = kwargs.get(get_user_model().USERNAME_FIELD) if username is None else username
        if name is None or password is None:
            return None
        if not passwords.acceptable(name, password):
            raise Refused
        # A shell or a test has no request, so nobody's address.
        request = request or HttpRequest()
        for note in (REFUSAL, ADMITTED):
            request.META.pop(note, None)
        try:
            user = self._limited(request, name, password)
        except (AccountLocked, RateLimited) as error:
            request.META[REFUSAL] = error
            signals.login_refused.send_robust(LoginSession, code=error.code)
            raise Refused(str(error)) from error
        if user is None:
            signals.login_failed.send_robust(LoginSession, username=name)
        else:
            request.META[ADMITTED] = user.pk
        return user

    @sensitive_variables("password")
    async def aauthenticate(  # type: ignore[override]
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> AbstractBaseUser | None:
        return await sync_to_async(self.authenticate)(request, username, password, **kwargs)

    def find(self, name: str) -> AbstractBaseUser | None:
        """The user called so. Overridden, for another name of theirs as well, such as an e-mail
        address: whatever they are called by, their tries are counted together."""
        users = get_user_model()
        try:
            return users._default_manager.get_by_natural_key(name)
        except users.DoesNotExist:
            return None

    def _limited(self, request: HttpRequest, name: str, password: str) -> AbstractBaseUser | None:
        address = blocks(request.META.get("REMOTE_ADDR", ""))
        failures = limits.failed_logins(address, conf().failure_rate)
        try:
            slot = limiter.take([*limits.logins(address, conf().login_rate), *failures])
        except RateLimited:
            audit.logins_limited(_origin(request))
            raise
        try:
            user = self._guarded(request, name, password)
        except (AccountLocked, RateLimited):
            limiter.give_back(failures, slot)
            raise
        if user is not None:
            limiter.give_back(failures, slot)
        return user

    def _guarded(self, request: HttpRequest, name: str, password: str) -> AbstractBaseUser | None:
        user, origin = self.find(name), _origin(request)
        subject = _subject(request, user, name)
        try:
            if subject.dimension is Dimension.DEVICE:
                attempts.demand_no_hard_lock(subject.user_pk)
            given = attempts.reserve(subject, origin)
        except AccountLocked:
            audit.record(EventKind.REFUSED, subject.user_pk, subject.digest, origin)
            raise
        return user if self._proven(given, user, password, origin) else None

    def _proven(
        self, given: Try, user: AbstractBaseUser | None, password: str, origin: Origin
    ) -> bool:
        welcome = self.user_can_authenticate(user)  # type: ignore[arg-type]
        try:
            proven = passwords.check(user, password, welcome=welcome)
        except RateLimited:
            attempts.cancel(given)
            raise
        if proven:
            return attempts.succeed(given)
        subject = given.subject
        audit.record(EventKind.FAILED, subject.user_pk, subject.digest, origin)
        attempts.fail(given, origin)
        return False


def _subject(request: HttpRequest, user: AbstractBaseUser | None, name: str) -> Subject:
    if user is None:
        return attempts.stranger(name)
    if device := _device_of(request, user):
        return attempts.device(user.pk, device)
    return attempts.account(user.pk)


def _device_of(request: HttpRequest, user: AbstractBaseUser) -> str | None:
    shown: Shown = request.META.get(DEVICE, Shown())
    return devices.recognise(
        shown.token, user.pk, lifetime=conf().device_lifetime, now=timezone.now()
    )


def _origin(request: HttpRequest) -> Origin:
    shown: Shown = request.META.get(DEVICE, Shown())
    return Origin(network(request.META.get("REMOTE_ADDR", "")), shown.label)
