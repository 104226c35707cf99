"""Pages for people, in a real browser under the strict policy."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import Page, expect

from accounts.client import Signer
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
    assert complaints == []


# One of each kind of page is enough; who follows these is logged out, or gets a file.
PLACES = 60
PASSED_BY = ("/admin/logout/", "/admin/jsi18n/")


def kind(path: str) -> str:
    """Pages of one kind differ in a key and a query: the part before /change/, /delete/ …"""
    parts = urlsplit(path).path.strip("/").split("/")
    return "/".join(parts[:3] + parts[4:]) if len(parts) > 3 else "/".join(parts)


def test_no_page_of_the_admin_breaks_the_policy(
    signed_in: Page, complaints: list[str], product: Product
) -> None:
    product.generate(product.sign_in(PASSWORD), "seen")
    page, seen = signed_in, dict[str, str]()
    ahead = ["/admin/"]
    while ahead and len(seen) < PLACES:
        path = ahead.pop(0)
        if kind(path) in seen or path.startswith(PASSED_BY):
            continue
        answer = page.goto(path)
        assert answer
        assert answer.status == 200, path
        seen[kind(path)] = path
        keep(page, f"admin-{len(seen):02}")
        hrefs = page.eval_on_selector_all("a[href]", "all => all.map(a => a.getAttribute('href'))")
        links = (urlsplit(urljoin(answer.url, href)) for href in hrefs)
        ahead += [
            f"{link.path}?{link.query}" if link.query else link.path
            for link in links
            if link.path.startswith("/admin/")
        ]
    assert len(seen) > 20
    # Advice on forms of Django's own is no refusal.
    assert [text for text in complaints if not text.startswith("[DOM]")] == []


def test_the_documentation_calls_the_api_within_the_policy(
    page: Page, complaints: list[str]
) -> None:
    page.goto("/api/docs")
    operation = page.locator(".opblock", has_text="/.well-known/jwks.json")
    operation.locator(".opblock-summary").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    answered = operation.locator(".live-responses-table")
    expect(answered.get_by_role("cell", name="200", exact=True)).to_be_visible()
    keep(page, "docs-tried")
    page.get_by_role("button", name="Authorize").first.click()
    expect(page.locator(".modal-ux")).to_be_visible()
    keep(page, "docs-authorize")
    assert complaints == []


def test_a_page_that_tells_of_an_error_is_dressed_within_the_policy(
    page: Page, complaints: list[str]
) -> None:
    page.goto("/nowhere")
    expect(page.get_by_role("heading")).to_be_visible()
    keep(page, "nowhere")
    # The browser repeats the status on its console.
    assert [text for text in complaints if "Failed to load resource" not in text] == []


@pytest.mark.parametrize("path", ["/admin/login/", "/api/docs", "/nowhere"])
def test_what_somebody_slips_into_a_page_does_not_run(
    page: Page, complaints: list[str], path: str
) -> None:
    page.goto(path)
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'taken over'";
            document.body.append(script);
            document.body.insertAdjacentHTML(
                "beforeend", "<img src=x onerror=\\"document.title = 'taken over'\\">");
        }"""
    )
    page.wait_for_function("() => document.images[document.images.length - 1].complete")
    assert "taken over" not in page.title()
    assert [text for text in complaints if "Content Security Policy" in text]


def log_in(page: Page, name: str, password: str) -> int:
    page.goto("/admin/login/")
    page.get_by_label("Username:").fill(name)
    page.get_by_label("Password:").fill(password)
    with page.expect_navigation() as went:
        page.get_by_role("button", name="Log in").click()
    return went.value.status


def test_the_login_page_tells_a_locked_account_in_words(
    page: Page, complaints: list[str], product: Product
) -> None:
    assert [log_in(page, "keeper", "wrong") for _ in range(6)] == [200] * 5 + [423]
    told = page.get_by_text("The account is locked after too many failed logins.")
    expect(told).to_contain_text("Try again in 15 minutes.")
    expect(page).to_have_title("Error: Log in | Mainstay")
    expect(page.get_by_label("Username:")).to_be_focused()
    keep(page, "login-locked")
    page.set_viewport_size({"width": 390, "height": 800})
    keep(page, "login-locked-narrow")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # The browser repeats the status on its console, and misses an icon; there is nothing else.
    assert [text for text in complaints if "Failed to load resource" not in text] == []
    bearer = f"Bearer {product.sign_in(PASSWORD)}"
    lockouts = f"{product.url}/api/v1/auth/lockouts"
    for row in call("GET", lockouts, Authorization=bearer).json["results"]:
        unlock = f"{lockouts}/{row['id']}/unlock"
        assert call("POST", unlock, {"reason": "seen"}, Authorization=bearer).status == 200


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


KEYS = "/admin/accounts/signingkey/"


@pytest.fixture(scope="module")
def ask(product: Product) -> Any:
    token = product.sign_in(PASSWORD)

    def send(path: str, body: Any) -> Any:
        url = f"{product.url}/api/v1/auth/signing-keys{path}"
        answer = call("POST", url, body, Authorization=f"Bearer {token}")
        assert answer.status == 201
        return answer.json

    return send


@pytest.fixture(scope="module")
def nightly(product: Product, ask: Any) -> Any:
    """A key that was used, beside one that was replaced and one that will be valid one day."""
    nightly, replaced = ask("", {"name": "nightly import"}), ask("", {"name": "render farm"})
    ask(f"/{replaced['id']}/rotate", {"overlap_seconds": 86_400})
    ask("", {"name": "gateway", "scopes": ["introspect"], "not_before": "2199-01-01T00:00:00Z"})
    url = f"{product.url}/api/v1/locks"
    for _ in range(2):
        headers = Signer(nightly["keyid"], nightly["secret"]).sign("GET", url)
        assert call("GET", url, **headers).status == 200
        assert call("GET", url, **headers).status == 401
    return nightly


def test_an_operator_revokes_a_signing_key(
    signed_in: Page, complaints: list[str], nightly: Any
) -> None:
    page = signed_in
    page.goto(KEYS)
    expect(page.get_by_role("row", name="nightly import")).to_contain_text("active")
    expect(page.locator("#result_list tbody tr")).to_have_count(4)
    keep(page, "keys")
    page.get_by_role("link", name="nightly import").click()
    expect(page.get_by_text(nightly["keyid"]).first).to_be_visible()
    assert nightly["secret"] not in page.content()
    keep(page, "key")
    page.go_back()
    page.get_by_role("row", name="nightly import").get_by_role("checkbox").check()
    page.get_by_label("Action:").select_option(label="Revoke selected signing keys")
    page.get_by_role("button", name="Go").click()
    expect(page.locator(".messagelist")).to_contain_text("1 signing key revoked.")
    expect(page.get_by_role("row", name="nightly import")).to_contain_text("revoked")
    keep(page, "key-revoked")
    page.goto("/admin/accounts/authevent/")
    record = page.locator("#result_list")
    expect(record).to_contain_text(f"key {nightly['keyid']} (nightly import) by operator")
    expect(record).to_contain_text("the nonce was used before")
    keep(page, "record")
    assert complaints == []


def test_the_pages_of_accounts_fit_a_telephone(signed_in: Page, nightly: Any) -> None:
    signed_in.set_viewport_size({"width": 390, "height": 800})
    for place in ("signingkey", "authevent", "loginsession", "loginguard"):
        signed_in.goto(f"/admin/accounts/{place}/")
        keep(signed_in, f"{place}-narrow")
        wide = signed_in.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, place
