from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

PASSWORD = "correct horse battery"


@pytest.fixture
def client() -> APIClient:
    return APIClient()


@pytest.fixture
def post() -> Callable[..., Any]:
    """POST JSON to a path below ``auth/``, with a bearer token where one is given."""

    def send(path: str, body: Any = None, *, access: str | None = None) -> Any:
        headers = {} if access is None else {"Authorization": f"Bearer {access}"}
        return APIClient().post(f"/api/v1/auth/{path}", body, format="json", headers=headers)

    return send


@pytest.fixture
def pair(user: User, post: Callable[..., Any]) -> dict[str, Any]:
    """A fresh login of ``user``."""
    return post("token", {"username": user.username, "password": PASSWORD}).json()
