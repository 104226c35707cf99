from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from config import urls
from config.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


@csrf_exempt
def broken(request: HttpRequest) -> HttpResponse:
    read = request.body
    raise ZeroDivisionError(f"after {len(read)} bytes")


urlpatterns = [path("api/broken", broken), *urls.urlpatterns]
