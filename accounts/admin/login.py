"""The admin's login page, where it says that an account is locked or somebody too quick.

Without it the lock holds all the same; the page then says that the password is wrong. And the way
out, where a browser is told to forget what it saw.
"""

import math
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.cache import never_cache

from accounts import login
from accounts.conf import conf
from accounts.errors import AccountsError
from accounts.farewell import FORGET

COOKIE = "device_token"


class LoginForm(AdminAuthenticationForm):
    def get_invalid_login_error(self) -> ValidationError:
        if self.request and (error := login.refusal(self.request)):
            return ValidationError(f"{error} {_when(error)}", code=error.code)
        return super().get_invalid_login_error()


# A try has to be counted for good, so not in the transaction of a request.
@transaction.non_atomic_requests
@never_cache
def login_page(request: HttpRequest, **context: Any) -> HttpResponseBase:
    """To be mounted before ``admin.site.urls``, as ``admin/login/``."""
    login.show_device(request, token=request.COOKIES.get(COOKIE, "")[:200])
    response = admin.site.login(request, **context)
    if error := login.refusal(request):
        response.status_code = error.status
        response.headers["Retry-After"] = str(math.ceil(error.retry_after or 0))
    elif isinstance(request.user, AbstractBaseUser) and login.admitted(request, request.user):
        _remember(request, response, request.user)
    return response


def logout_page(request: HttpRequest, **context: Any) -> HttpResponseBase:
    """To be mounted before ``admin.site.urls``, as ``admin/logout/``."""
    response = admin.site.logout(request, **context)
    # Not with a refusal, or an image of another site could log people out.
    if response.status_code < 400:
        for name, value in FORGET.items():
            response.headers[name] = value
    return response


def _remember(request: HttpRequest, response: HttpResponseBase, user: AbstractBaseUser) -> None:
    if token := login.device_token(request, user):
        response.set_cookie(
            COOKIE,
            token,
            max_age=conf().device_lifetime,
            path=request.path,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Strict",
        )


def _when(error: AccountsError) -> str:
    seconds = error.retry_after or 0
    if seconds < 60:
        return f"Try again in {_counted(math.ceil(seconds), 'second')}."
    if seconds < 7_200:
        return f"Try again in {_counted(math.ceil(seconds / 60), 'minute')}."
    return f"Try again in {_counted(math.ceil(seconds / 3_600), 'hour')}."


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"
