"""The OpenAPI document, made once for each form: it is the same for everybody, and to make it takes
hundreds of times as long as any other answer.
"""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

_made: dict[tuple[str, str], tuple[bytes, dict[str, str]]] = {}


class DocumentView(SpectacularAPIView):
    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        form = settings.ROOT_URLCONF, request.accepted_renderer.media_type
        if form not in _made:
            response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
            made = self.finalize_response(request, response).render()
            _made[form] = made.content, dict(made.headers)
        content, headers = _made[form]
        return HttpResponse(content, headers=headers)
