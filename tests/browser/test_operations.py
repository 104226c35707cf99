"""The operations page: live under the strict policy, and of use without its script."""

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product as combined
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.product import Product, call

from .conftest import HOOK_TOKEN, PASSWORD
from .test_breakers import CONTRASTS
from .test_pages import keep

pytestmark = pytest.mark.live
PATH = "/admin/operations/"


@pytest.fixture(scope="module")
def busy(product: Product) -> str:
    """A lock is held, a circuit open, an account locked, and Prometheus has an alert."""
    token = product.sign_in(PASSWORD)
    asked = {"name": "nightly import", "lease": 3600}
    url = f"{product.url}/api/v1"
    call("POST", f"{url}/locks/acquire", asked, Authorization=f"Bearer {token}")
    for _ in range(5):
        call("POST", f"{url}/auth/token", {"username": "keeper", "password": "wrong"})
    product.fault("imagen", status=503)
    for number in range(6):
        product.generate(token, f"busy-{number}")
    product.mend()
    began = datetime.now(UTC) - timedelta(hours=2)
    labels = {"alertname": "LockWaitersPiling", "pattern": "nightly:*", "instance": "web-1:8000"}
    alert = {
        "status": "firing", "fingerprint": "a", "labels": {**labels, "severity": "ticket"},
        "startsAt": began.isoformat(),
    }  # fmt: skip
    message = {"version": "4", "alerts": [alert]}
    hook = f"{product.url}/api/alerts/hook"
    assert call("POST", hook, message, Authorization=f"Bearer {HOOK_TOKEN}").status == 200
    return token


def test_all_apps_are_on_one_page_and_what_changes_is_drawn(
    signed_in: Page, complaints: list[str], product: Product, busy: str
) -> None:
    page = signed_in
    page.goto("/admin/")
    page.get_by_role("link", name="Operations", exact=True).click()
    expect(page.locator("#services .tile")).not_to_have_count(0)
    circuit = page.locator("#breakers").get_by_role("row", name="imagen:")
    expect(circuit.get_by_role("cell").first).to_have_text("open")
    lock = page.locator("#locks").get_by_role("row", name="nightly import")
    expect(lock.get_by_role("cell").first).to_have_text("held")
    expect(page.locator("#accounts").get_by_role("row", name="no user")).to_be_visible()
    alert = page.locator("#alerts").get_by_role("row", name="LockWaitersPiling")
    expect(alert).to_contain_text("Prometheus")
    expect(page.locator("#timeline").get_by_role("row", name="LockWaitersPiling")).to_be_visible()
    keep(page, "operations")

    # Where the keyboard is, and panels that are as they were, are left alone.
    link = circuit.get_by_role("link")
    link.focus()
    page.evaluate("document.querySelector('#accounts').dataset.mark = 'as it was'")
    url = f"{product.url}/api/v1/breakers/{link.text_content()}/disable"
    done = call("POST", url, {"reason": "to be seen"}, Authorization=f"Bearer {busy}")
    assert done.status == 200
    expect(circuit.get_by_role("cell").first).to_have_text("disabled")
    expect(page.locator("#news")).to_contain_text(f"{link.text_content()}: disabled")
    expect(link).to_be_focused()
    assert page.locator("#accounts").get_attribute("data-mark") == "as it was"

    page.get_by_role("link", name="nightly import").click()
    expect(page.get_by_role("heading", name="nightly import")).to_be_visible()
    assert complaints == []


def test_a_hidden_page_asks_no_more_and_a_chosen_pace_is_kept(
    signed_in: Page, complaints: list[str], busy: str
) -> None:
    page = signed_in
    page.goto(PATH)
    page.get_by_label("Every").select_option("never")
    page.reload()
    expect(page.get_by_label("Every")).to_have_value("0")
    with page.expect_request("**/panels/"):
        page.get_by_label("Every").select_option("1 s")
    assert complaints == []


def test_a_page_that_hears_nothing_says_so(signed_in: Page, busy: str) -> None:
    page = signed_in
    page.goto(PATH)
    expect(page.locator("#live")).to_contain_text("old.")
    page.route("**/panels/", lambda route: route.abort())
    expect(page.locator("#live")).to_contain_text("Not live")
    keep(page, "operations-cut-off")


def test_the_page_tells_that_redis_hangs_and_that_it_is_back(
    signed_in: Page, complaints: list[str], product: Product, busy: str
) -> None:
    page = signed_in
    page.goto(PATH)
    tile = page.locator(".tile").filter(has=page.get_by_text("locks", exact=True))
    expect(tile).to_contain_text("pass")
    (valkey,) = (pid for pid, line in product.processes().items() if "valkey" in line)
    os.kill(valkey, signal.SIGSTOP)
    try:
        expect(tile).to_contain_text("fail")
        expect(page.locator("#locks")).to_contain_text("The lock store does not answer")
        expect(page.locator("#news")).not_to_be_empty()
        keep(page, "operations-redis-hangs")
        page.reload()
        expect(tile).to_contain_text("fail")
    finally:
        os.kill(valkey, signal.SIGCONT)
    expect(tile).to_contain_text("pass")
    expect(page.get_by_role("link", name="nightly import")).to_be_visible()
    assert complaints == []


@pytest.fixture
def scriptless(browser: Browser, product: Product) -> Iterator[Page]:
    context = browser.new_context(base_url=product.url, java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_without_its_script_the_page_tells_the_same(scriptless: Page, busy: str) -> None:
    page = scriptless
    page.goto(PATH)
    page.fill("#id_username", "operator")
    page.fill("#id_password", PASSWORD)
    page.click("input[type=submit]")
    expect(page.get_by_role("link", name="nightly import")).to_be_visible()
    expect(page.locator("#live")).to_contain_text("As of")
    page.get_by_role("link", name="Refresh").click()
    expect(page.get_by_role("link", name="nightly import")).to_be_visible()


SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def test_the_page_fits_and_can_be_read(signed_in: Page, busy: str) -> None:
    page = signed_in
    for scheme, width in combined(SCHEMES, (320, 1280)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(PATH)
        expect(page.locator("#services .tile")).not_to_have_count(0)
        keep(page, f"operations-{scheme}-{width}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        colours = page.evaluate(CONTRASTS, ".status")
        assert colours
        assert min(colours) >= 4.5
