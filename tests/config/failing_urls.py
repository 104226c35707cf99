"""Routes that end in each kind of error, for the tests of how errors are shown."""

from collections.abc import Callable

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_GET
from rest_framework import exceptions, serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from breaker.errors import BulkheadFull, CircuitOpenError, TimeLimitExceeded
from config import urls as config_urls
from locking.errors import LockBusy, LockInAtomic


class Nested(serializers.Serializer[dict[str, str]]):
    city = serializers.CharField(max_length=5)


class Order(serializers.Serializer[dict[str, str]]):
    name = serializers.CharField()
    address = Nested()


def plain(error: Exception) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        raise error

    return view


def drf(error: Exception) -> Callable[..., HttpResponse]:
    class Failing(APIView):
        authentication_classes = ()
        permission_classes = (AllowAny,)

        def get(self, request: Request) -> Response:
            raise error

    return Failing.as_view()


class Validating(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        order = Order(data=request.data)
        order.is_valid(raise_exception=True)
        return Response(order.data)


class Guarded(APIView):
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({})


def weak(request: HttpRequest) -> HttpResponse:
    """A view that would have its answer framed, sniffed and run by anybody."""
    response = HttpResponse("<script>alert(1)</script>")
    response.headers["X-Frame-Options"] = "ALLOWALL"
    response.headers["Content-Security-Policy"] = "default-src * 'unsafe-inline'"
    response.headers["X-Content-Type-Options"] = ""
    response.headers["Strict-Transport-Security"] = "max-age=0"
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter([b"one", b"two"]), content_type="text/plain")


ERRORS: dict[str, Exception] = {
    "circuit": CircuitOpenError("partner", 12.2, "open"),
    "full": BulkheadFull("partner", 8, 1.0),
    "late": TimeLimitExceeded(30),
    "busy": LockBusy("render:42", holder=None, retry_after=2.5),
    "missing": Http404(),
    "forbidden": PermissionDenied(),
    "database": OperationalError("could not connect to server at 10.1.2.3, password hunter2"),
    "bug": ZeroDivisionError("hunter2"),
    "misuse": LockInAtomic("hunter2"),
}

urlpatterns = [
    # Ahead of the admin, which answers every path below its own.
    *(
        path(f"admin/{name}", plain(ERRORS[name]))
        for name in ("bug", "forbidden", "missing", "circuit", "database", "busy")
    ),
    path("admin/suspicious", plain(SuspiciousOperation("hunter2"))),
    path("admin/get-only", require_GET(lambda request: HttpResponse())),
    *config_urls.urlpatterns,
    *(path(f"api/plain/{name}", plain(error)) for name, error in ERRORS.items()),
    *(path(f"api/drf/{name}", drf(error)) for name, error in ERRORS.items()),
    path("api/plain/suspicious", plain(SuspiciousOperation("hunter2"))),
    path("api/plain/weak", xframe_options_exempt(weak)),
    path("api/plain/stream", stream),
    path("api/drf/throttled", drf(exceptions.Throttled(wait=7))),
    path("api/plain/get-only", require_GET(lambda request: HttpResponse())),
    path("api/order", Validating.as_view()),
    path("api/guarded", Guarded.as_view()),
]

handler400 = "config.handlers.bad_request"
handler403 = "config.handlers.permission_denied"
handler404 = "config.handlers.page_not_found"
handler500 = "config.handlers.server_error"
