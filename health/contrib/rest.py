"""Whom a bearer token speaks for, as the REST views of this project would find out."""

from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.views import APIView


def user_of(request: HttpRequest) -> Any:
    """Raises whatever the configured authenticators raise."""
    return Request(request, authenticators=APIView().get_authenticators()).user
