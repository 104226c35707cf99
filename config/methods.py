"""What may be done to a path, told without doing any of it."""

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, resolve
from django.views import View

from config.handlers import refusal


def allowed(match: ResolverMatch) -> list[str]:
    """The methods of a view made of a class; of others nobody can say."""
    view = vars(match.func).get("view_class")
    names = [name for name in View.http_method_names if hasattr(view, name)]
    return sorted({name.upper() for name in names} | ({"HEAD"} if "get" in names else set()))


def options(request: HttpRequest) -> HttpResponse | None:
    """The answer to OPTIONS; None to all else, and where only the view could tell."""
    if request.method != "OPTIONS" or not request.resolver_match:
        return None
    if not (methods := allowed(request.resolver_match)):
        return None
    return HttpResponse(status=204, headers={"Allow": ", ".join(methods)})


def no_trace(request: HttpRequest) -> HttpResponse:
    """TRACE would repeat what a browser keeps from scripts, and has no use here."""
    response = refusal(request, 405, "method_not_allowed")
    try:
        response.headers["Allow"] = ", ".join(allowed(resolve(request.path_info)))
    except Resolver404:
        response.headers["Allow"] = ""
    return response
