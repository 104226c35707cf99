"""Pages for people, in a real browser under the strict policy."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.product import Product, call

from .conftest import PASSWORD

pytestmark = pytest.mark.live


def keep(page: Page, name: str) -> None:
    """A picture to look at, where SCREENSHOTS names a directory."""
    if directory := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(directory) / f"{name}.png", full_page=True)


def test_the_api_documentation_renders_and_breaks_no_policy(
    page: Page, complaints: list[str]
) -> None:
    page.goto("/api/docs")
    expect(page.get_by_role("heading", name="Mainstay")).to_be_visible()
    expect(page.locator(".opblock").first).to_be_visible()
    expect(page.locator(".opblock-summary-path", has_text="generations").first).to_be_visible()
    keep(page, "docs")
    assert complaints == []


def test_the_admin_shows_each_app_and_breaks_no_policy(
    signed_in: Page, complaints: list[str]
) -> None:
    signed_in.goto("/admin/")
    for app in ("locking", "breaker", "google", "accounts"):
        expect(signed_in.locator(f".app-{app}")).to_be_visible()
    keep(signed_in, "admin")
    links = [
        link.get_attribute("href")
        for link in signed_in.locator("#content-main th a[href*='/admin/']").all()
    ]
    assert len(links) >= 6
    for link in links:
        assert link
        response = signed_in.goto(link)
        assert response
        assert response.status == 200, link
    assert complaints == []


def test_an_operator_unlocks_an_account_and_says_why(
    signed_in: Page, complaints: list[str], product: Product
) -> None:
    guess = {"username": "somebody", "password": "a guess"}
    for _ in range(6):
        last = call("POST", f"{product.url}/api/v1/auth/token", guess)
    assert last.json["code"] == "account_locked"
    signed_in.goto("/admin/accounts/loginguard/?locked=yes")
    keep(signed_in, "lockouts")
    row = signed_in.locator("#result_list tbody tr")
    expect(row).to_have_count(1)
    for reason, answer in (("", "Say why"), ("they rang", "1 unlocked.")):
        row.get_by_role("checkbox").check()
        signed_in.get_by_label("Action:").select_option(label="Unlock selected accounts")
        signed_in.get_by_label("Reason:").fill(reason)
        signed_in.get_by_role("button", name="Go").click()
        expect(signed_in.locator(".messagelist")).to_contain_text(answer)
    expect(row).to_have_count(0)
    assert call("POST", f"{product.url}/api/v1/auth/token", guess).status == 401
    signed_in.goto("/admin/accounts/authevent/")
    expect(signed_in.locator("#result_list")).to_contain_text("by operator: they rang")
    keep(signed_in, "events")
    assert complaints == []


def test_an_operator_ends_a_session(
    signed_in: Page, complaints: list[str], product: Product
) -> None:
    token = product.sign_in(PASSWORD)
    signed_in.goto("/admin/accounts/loginsession/?life=alive")
    keep(signed_in, "sessions")
    signed_in.locator("#action-toggle").check()
    signed_in.get_by_label("Action:").select_option(label="End selected login sessions")
    signed_in.get_by_role("button", name="Go").click()
    expect(signed_in.locator(".messagelist")).to_contain_text("ended.")
    expect(signed_in.locator("#result_list tbody tr")).to_have_count(0)
    me = call("GET", f"{product.url}/api/v1/auth/me", Authorization=f"Bearer {token}")
    assert me.json["code"] == "token_revoked"
    assert complaints == []
