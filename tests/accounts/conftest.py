from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts import tidying

PASSWORD = "correct horse battery"

Json = dict[str, Any]
Call = Callable[..., Any]


@pytest.fixture(autouse=True)
def untidied(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is past its end goes when a test says so, and not by chance."""
    monkeypatch.setattr(tidying, "EVERY", 10**12)


@pytest.fixture
def call() -> Call:
    """A request below ``auth/``, with a bearer token where one is given."""
    client = APIClient()

    def send(method: str, path: str, body: Any = None, *, access: str | None = None) -> Any:
        headers = {} if access is None else {"Authorization": f"Bearer {access}"}
        return client.generic(
            method,
            f"/api/v1/auth/{path}",
            data=b"" if body is None else client._encode_data(body, "json")[0],
            content_type="application/json",
            headers=headers,
        )

    return send


@pytest.fixture
def sign_in(user: User, call: Call) -> Callable[..., Json]:
    def pair(**body: Any) -> Json:
        answer = call("POST", "token", {"username": "ada", "password": PASSWORD, **body})
        assert answer.status_code == 200, answer.content
        return dict(answer.json())

    return pair


@pytest.fixture
def pair(sign_in: Callable[..., Json]) -> Json:
    return sign_in()


@pytest.fixture
def no_overlap(settings: Settings) -> None:
    """Every second use of a refresh token counts as a replay."""
    settings.ACCOUNTS = {**settings.ACCOUNTS, "REFRESH_OVERLAP": 0}


@pytest.fixture
def wide_overlap(settings: Settings) -> None:
    """What comes at the same time counts as that, however slow the machine is."""
    settings.ACCOUNTS = {**settings.ACCOUNTS, "REFRESH_OVERLAP": 60}
