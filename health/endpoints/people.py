"""Staff, known by the session of a browser or by the bearer token of an API.

Both cost a query, so they are looked at last, and only for what is not for everybody.
"""

import logging
import os
import re
from importlib import import_module
from threading import BoundedSemaphore
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user
from django.db import DatabaseError, close_old_connections
from django.http import HttpRequest, parse_cookie

logger = logging.getLogger(__name__)

PERMISSION = "health.view_details"
# A JWT of no more than a server takes for a header.
TOKEN = re.compile(r"bearer +[\w-]+\.[\w-]+\.[\w-]+ *", re.IGNORECASE | re.ASCII)
LONGEST = 8192
# At a time: the threads that a database may hold up before it is known to hang.
MOST = 2

_turns = BoundedSemaphore(MOST)


class TooMany(Exception):
    """As many are being looked up as may be."""


def hinted(environ: dict[str, Any]) -> bool:
    """Whether it is worth a query to find out who asks."""
    return _has_token(environ) or _has_session(environ)


def may_see_details(environ: dict[str, Any]) -> bool:
    """Raises DatabaseError, TooMany."""
    if not _turns.acquire(blocking=False):
        raise TooMany
    try:
        return _look_up(environ)
    finally:
        _turns.release()


def _look_up(environ: dict[str, Any]) -> bool:
    """No request of Django's begins or ends here, so its chores are ours."""
    close_old_connections()
    try:
        user = _user(environ)
        return bool(user.is_active and user.is_staff and user.has_perm(PERMISSION))
    except DatabaseError:
        raise
    except Exception as error:  # an authenticator refuses with whatever its project raises
        logger.debug("nobody was recognised: %s", type(error).__name__)
        return False
    finally:
        close_old_connections()


def _has_token(environ: dict[str, Any]) -> bool:
    given = environ.get("HTTP_AUTHORIZATION", "")
    if len(given) > LONGEST or not apps.is_installed("rest_framework"):
        return False
    return TOKEN.fullmatch(given) is not None


def _has_session(environ: dict[str, Any]) -> bool:
    cookie = f"{settings.SESSION_COOKIE_NAME}="
    return apps.is_installed("django.contrib.sessions") and cookie in environ.get("HTTP_COOKIE", "")


def _user(environ: dict[str, Any]) -> Any:
    """With nothing of the request but its credentials, so nothing else of it can count."""
    request = HttpRequest()
    request.method = "GET"
    request.META = {"REMOTE_ADDR": environ.get("REMOTE_ADDR", "")}
    if _has_token(environ):
        request.META["HTTP_AUTHORIZATION"] = environ["HTTP_AUTHORIZATION"]
        return import_module("health.contrib.rest").user_of(request)
    key = parse_cookie(environ["HTTP_COOKIE"]).get(settings.SESSION_COOKIE_NAME)
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    return get_user(request)


def _forget() -> None:
    """A forked child has none of the threads whose turn it was."""
    global _turns
    _turns = BoundedSemaphore(MOST)


os.register_at_fork(after_in_child=_forget)
