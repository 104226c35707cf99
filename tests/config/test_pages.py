"""Sessions are for pages; the API has its own ways to know a caller."""

import pytest
from django.contrib.auth.models import User
from django.test import Client


@pytest.fixture
def signed_in(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


def test_a_browser_that_is_signed_in_is_known_on_pages(signed_in: Client) -> None:
    page = signed_in.get("/admin/")
    assert page.status_code == 200
    assert "Cookie" in page.headers["Vary"]


@pytest.mark.parametrize("path", ["/api/v1/auth/me", "/api/v1/breakers", "/api/v1/generations"])
def test_and_a_stranger_to_the_api(signed_in: Client, path: str) -> None:
    answer = signed_in.get(path)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert "cookie" not in answer.headers["Vary"].lower()
    assert answer.cookies == {}


@pytest.mark.parametrize("following", ["", "//evil.example/", "/admin/auth/user/"])
def test_a_login_leads_to_the_admin_and_nowhere_else(
    client: Client, operator: User, following: str
) -> None:
    operator.set_password("tide and time")
    operator.save()
    given = {"username": operator.username, "password": "tide and time", "next": following}
    answer = client.post("/admin/login/", given)
    wanted = following if following.startswith("/admin/") else "/admin/"
    assert (answer.status_code, answer.headers["Location"]) == (302, wanted)
