import shutil
from collections.abc import Iterator
from hashlib import sha256

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.product import Product
from tests.servers import scratch

PASSWORD = "tide and time"
HOOK_TOKEN = "of Alertmanager, made of random bytes"
# On a busy machine a page takes as long to come alive as an action may.
expect.set_options(timeout=30_000)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    running = Product(
        scratch(),
        DJANGO_SETTINGS_MODULE="tests.patient_settings",
        OPERATOR_PASSWORD=PASSWORD,
        ALERT_HOOK_TOKENS=sha256(HOOK_TOKEN.encode()).hexdigest(),
    )
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        assert chromium, "these tests need Chromium; .ci/run installs it"
        running = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        yield running
        running.close()


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser's console said: policy violations and script errors among it."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


@pytest.fixture
def page(browser: Browser, product: Product) -> Iterator[Page]:
    context = browser.new_context(base_url=product.url, viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


@pytest.fixture
def signed_in(page: Page) -> Page:
    page.goto("/admin/")
    page.fill("#id_username", "operator")
    page.fill("#id_password", PASSWORD)
    page.click("input[type=submit]")
    page.wait_for_selector("#content h1")
    return page
