"""Accept chooses between the forms of an answer where there are several, and refuses none.

A generated client asks for what the document shows of its answer, which may be an image, or only a
problem where success has no body: that is no reason not to serve it (RFC 9110, 12.5.1).
"""

from collections.abc import Iterable
from typing import Any

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class WillingNegotiation(DefaultContentNegotiation):
    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[Any, str]:
        offered = list(renderers)
        try:
            chosen: tuple[Any, str] = super().select_renderer(request, offered, format_suffix)
        except NotAcceptable:
            chosen = offered[0], str(offered[0].media_type)
        return chosen
