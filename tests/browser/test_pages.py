"""Pages for people, in a real browser under the strict policy."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

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
