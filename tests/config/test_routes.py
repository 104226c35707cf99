import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, URLResolver, include, path
from django.urls.resolvers import RegexPattern

from config.routes import below


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


INNER = [path("locks", view), path("locks/<int:pk>", view), path("keys/<str:pk>/open", view)]
NESTED = ([path("me", view)], "people")
ROUTES = [path("people/", include(NESTED)), path("", include(INNER)), path("", view)]
ROOT = URLResolver(RegexPattern(r"^/"), [below("v1/", ROUTES)])


@pytest.mark.parametrize(
    ("asked", "route"),
    [
        ("/v1/", "v1/"),
        ("/v1/locks", "v1/locks"),
        ("/v1/locks/7", "v1/locks/<int:pk>"),
        ("/v1/keys/x/open", "v1/keys/<str:pk>/open"),
        ("/v1/people/me", "v1/people/me"),
    ],
)
def test_what_is_there_is_found_as_ever(asked: str, route: str) -> None:
    assert ROOT.resolve(asked).route == route


@pytest.mark.parametrize("asked", ["/v1/nowhere", "/v1/lock", "/v1/locksmith", "/v1/nowhere/me"])
def test_what_is_not_there_is_told_without_trying_the_routes(asked: str) -> None:
    with pytest.raises(Resolver404) as told:
        ROOT.resolve(asked)
    assert len(told.value.args[0]["tried"]) == 1


def test_what_begins_with_a_segment_that_is_there_is_looked_for() -> None:
    with pytest.raises(Resolver404):
        ROOT.resolve("/v1/locks/x")


def test_a_route_that_may_begin_with_anything_has_no_place_there() -> None:
    with pytest.raises(ImproperlyConfigured, match="<str:name>/x"):
        below("v1/", [path("<str:name>/x", view)])
