"""Sessions, users and messages of browsers, for the pages that have any: the admin's.

The API knows its callers by tokens and signatures alone; that no cookie could count there is worth
more than the time that it saves.
"""

from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest

PAGES = "/admin/"


class _OnPages:
    get_response: Any

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(PAGES):
            return super().__call__(request)  # type: ignore[misc]
        return self.get_response(request)


class PageSessions(_OnPages, SessionMiddleware):
    pass


class PageUsers(_OnPages, AuthenticationMiddleware):
    pass


class PageMessages(_OnPages, MessageMiddleware):
    pass
