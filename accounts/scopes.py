"""What a signed request may do: a part of what its owner may.

A view says what it asks for by an attribute, so that apps need not know each other::

    class Generations(APIView):
        scope = "generate"

Reading asks for ``read`` everywhere. A view that says nothing does nothing else for a signature.
Bearer tokens are their owner's own hand and have no scopes.
"""

from enum import StrEnum
from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS

if TYPE_CHECKING:
    from rest_framework.views import APIView


class Scope(StrEnum):
    GENERATE = "generate"
    LOCKS = "locks"
    READ = "read"
    INTROSPECT = "introspect"


# What a key gets that asks for nothing in particular. Introspection tells of other people.
USUAL = (Scope.GENERATE, Scope.LOCKS, Scope.READ)


def demanded(view: "APIView", method: str) -> str | None:
    """The scope that a call needs; None where no signature will do."""
    if method in SAFE_METHODS:
        return Scope.READ
    scope: str | None = getattr(view, "scope", None)
    return scope
