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
    from django.contrib.auth.base_user import AbstractBaseUser
    from rest_framework.views import APIView


class Scope(StrEnum):
    GENERATE = "generate"
    LOCKS = "locks"
    READ = "read"
    INTROSPECT = "introspect"


# What a key gets that asks for nothing in particular. Introspection tells of other people.
USUAL = (Scope.GENERATE, Scope.LOCKS, Scope.READ)


def open_to(owner: "AbstractBaseUser") -> frozenset[str]:
    """What keys of this user may do. Asked at each use too: staff may be staff no more."""
    staff: bool = getattr(owner, "is_staff", False)
    return frozenset(Scope) if staff else frozenset(Scope) - {Scope.INTROSPECT}


def demanded(view: "APIView", method: str) -> str | None:
    """The scope that a call needs; None where no signature will do."""
    if method in SAFE_METHODS:
        return Scope.READ
    scope: str | None = getattr(view, "scope", None)
    return scope
