"""What the query of a request to the API may hold, decided before any view sees it.

The values of a name are the view's to judge, but for what it could not: which of two was meant, and
that what it was given as a number is not one.
"""

import re
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse

from config.problems import Fault, invalid

PLACES = ("/api/v1/", "/api/alerts/", "/api/schema")
PAGE = frozenset({"cursor", "limit"})
# By the name of the route; GET alone has a query. Those of the schema, as a test sees to.
NAMES = {
    "accounts:lockouts": PAGE,
    "accounts:sessions": PAGE,
    "accounts:signing-keys": PAGE,
    "breaker:breakers": PAGE | {"state"},
    "breaker:transitions": PAGE,
    "google:generations": PAGE | {"service", "status"},
    "locking:detail": frozenset({"kind", "name"}),
    "locking:locks": PAGE,
}
NUMBER = re.compile(r"-?[0-9]{1,20}")


def refused(request: HttpRequest) -> HttpResponse | None:
    if not request.META.get("QUERY_STRING") or not request.path_info.startswith(PLACES):
        return None
    faults = list(_faults(request))
    return invalid(request, faults) if faults else None


def _known(request: HttpRequest) -> frozenset[str]:
    if request.method not in ("GET", "HEAD") or not request.resolver_match:
        return frozenset()
    return NAMES.get(request.resolver_match.view_name, frozenset())


def _faults(request: HttpRequest) -> Iterator[Fault]:
    known = _known(request)
    for name, values in request.GET.lists():
        if name not in known:
            yield Fault(name, "unknown", "This name is not known in a query.")
        elif len(values) > 1:
            yield Fault(name, "repeated", "This name appears more than once.")
        elif name == "limit" and values[0] and not NUMBER.fullmatch(values[0]):
            yield Fault(name, "invalid", "A whole number in digits is wanted.")
