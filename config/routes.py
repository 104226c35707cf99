"""Routes that tell an unknown path by its first segment, without trying each of them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver
from django.urls.resolvers import RoutePattern

Routes = Sequence[URLPattern | URLResolver]


def below(route: str, routes: Routes) -> URLResolver:
    """What ``path(route, include(routes))`` is, but sooner done with what is not there."""
    return URLResolver(Among(route, segments(routes)), list(routes))


def segments(routes: Routes) -> Iterator[str]:
    """What a path that one of the routes matches can begin with."""
    for entry in routes:
        first = str(entry.pattern).partition("/")[0]
        if "<" in first:
            raise ImproperlyConfigured(f"{entry.pattern} begins with anything")
        if first or isinstance(entry, URLPattern):
            yield first
        else:
            yield from segments(entry.url_patterns)


class Among(RoutePattern):
    """A prefix that matches only where one of the segments follows."""

    def __init__(self, route: str, following: Iterable[str]) -> None:
        super().__init__(route, is_endpoint=False)
        self._following = frozenset(following)

    def match(self, path: str) -> Any:
        found = super().match(path)
        return found if found and found[0].partition("/")[0] in self._following else None
