"""The locks, as an operator sees them and breaks one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.product import Product, call

from .conftest import PASSWORD
from .test_pages import keep

pytestmark = pytest.mark.live


@pytest.fixture
def ask(product: Product) -> Iterator[Any]:
    token = product.sign_in(PASSWORD)

    def post(verb: str, **body: Any) -> Any:
        url = f"{product.url}/api/v1/locks/{verb}"
        return call("POST", url, body, Authorization=f"Bearer {token}")

    return post


def test_an_operator_takes_a_lock_from_its_holder(
    signed_in: Page, complaints: list[str], ask: Any
) -> None:
    page = signed_in
    taken = ask("acquire", name="deploy", lease=600, meta={"build": 7}).json
    ask("acquire", name="nightly import", lease=3600)
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(ask, "acquire", name="deploy", wait=10, meta={"build": 8})
        page.goto("/admin/")
        page.get_by_role("link", name="Locks held").click()
        row = page.get_by_role("row", name="deploy")
        expect(row.get_by_role("cell").nth(4)).to_have_text("1")
        keep(page, "locks")
        row.get_by_role("link").click()
        expect(page.get_by_role("heading", name="1 waiting")).to_be_visible()
        page.get_by_role("button", name="Take it away").click()
        expect(page.get_by_text("This field is required.")).to_be_visible()
        page.get_by_label("Reason").fill("the build machine is gone")
        keep(page, "lock")
        page.get_by_role("button", name="Take it away").click()
        expect(page.get_by_text("was taken from its holder")).to_be_visible()
        assert waiter.result(timeout=30).json["fence"] > taken["fence"]
    lost = ask("release", name="deploy", token=taken["token"])
    assert (lost.status, lost.json["code"]) == (409, "lock_lost")
    page.goto("/admin/locking/forcedrelease/")
    expect(page.get_by_text("the build machine is gone")).to_be_visible()
    keep(page, "forced-releases")
    assert complaints == []


def test_the_pages_fit_a_telephone(signed_in: Page, ask: Any) -> None:
    ask("acquire", name="x" * 180, lease=600)
    signed_in.set_viewport_size({"width": 390, "height": 800})
    signed_in.goto("/admin/locking/heldlock/")
    keep(signed_in, "locks-narrow")
    signed_in.get_by_role("link", name="x" * 180).click()
    keep(signed_in, "lock-narrow")
    wide = signed_in.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
