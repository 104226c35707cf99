"""What the project's own promises need of its settings."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from config import cors

OUTERMOST = "config.headers.SecurityHeadersMiddleware"


@register(Tags.security)
def check_cors(**_: Any) -> list[CheckMessage]:
    return [Error(fault, id="config.E001") for fault in cors.faults()]


@register(Tags.security)
def check_headers(**_: Any) -> list[CheckMessage]:
    if settings.MIDDLEWARE[:1] == [OUTERMOST]:
        return []
    told = f"{OUTERMOST} must come first: what is outside of it answers without its headers."
    return [Error(told, id="config.E002")]
