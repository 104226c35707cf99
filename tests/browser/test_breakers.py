"""The circuits, as an operator sees them and commands one."""

import re
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.product import Product

from .conftest import PASSWORD
from .test_pages import keep

pytestmark = pytest.mark.live
LIST = "/admin/breaker/breakerstate/"


@pytest.fixture(scope="module")
def used(product: Product) -> None:
    """One circuit that is closed, one that is open."""
    token = product.sign_in(PASSWORD)
    product.generate(token, "text", service="vertex", prompt="a haiku")
    product.fault("imagen", status=503)
    for number in range(6):
        product.generate(token, f"image-{number}")
    product.mend()


def test_an_operator_commands_a_circuit(signed_in: Page, complaints: list[str], used: None) -> None:
    page = signed_in
    page.goto("/admin/")
    page.get_by_role("link", name="Breakers", exact=True).click()
    row = page.get_by_role("row", name="imagen:")
    expect(row.get_by_role("cell").nth(0)).to_have_text("open")
    keep(page, "breakers")
    page.get_by_role("link", name=re.compile("^open 1")).click()
    expect(page.locator(".breaker tbody tr")).to_have_count(1)
    page.get_by_role("link", name="imagen:").click()
    expect(page.get_by_text("threshold_reached").first).to_be_visible()
    page.get_by_role("button", name="Do it").click()
    expect(page.get_by_text("This field is required.").first).to_be_visible()
    page.get_by_label("Disable: admit every call").check()
    page.get_by_label("Reason").fill("they say it is mended")
    page.get_by_label("For", exact=True).fill("10m")
    keep(page, "breaker")
    page.get_by_role("button", name="Do it").click()
    expect(page.get_by_text("is disabled now.")).to_be_visible()
    expect(page.get_by_text("they say it is mended (operator)").first).to_be_visible()
    expect(page.get_by_text("ends in").first).to_be_visible()
    keep(page, "breaker-disabled")
    page.goto("/admin/breaker/breakertransition/")
    expect(page.get_by_text("they say it is mended")).to_be_visible()
    keep(page, "transitions")
    assert complaints == []


def test_an_operator_gives_a_circuit_other_options(
    signed_in: Page, complaints: list[str], used: None
) -> None:
    page = signed_in
    page.goto(LIST)
    page.get_by_role("link", name="imagen:").click()
    page.get_by_role("link", name="Give it other options").click()
    expect(page.get_by_label("Pattern")).to_have_value(re.compile("^imagen:"))
    page.get_by_label("open_timeout:", exact=True).fill("0")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("open_timeout must be a number from")).to_be_visible()
    keep(page, "configuration-refused")
    page.get_by_label("open_timeout:", exact=True).fill("30")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    keep(page, "configurations")
    page.goto(LIST)
    page.get_by_role("link", name="imagen:").click()
    row = page.get_by_role("row", name="open_timeout 30.0 given at run time", exact=True)
    expect(row).to_be_visible()
    keep(page, "breaker-configured")
    page.get_by_role("link", name="Give it other options").click()
    expect(page.get_by_label("open_timeout:", exact=True)).to_have_value("30.0")
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_pages_fit_and_can_be_read(
    signed_in: Page, used: None, scheme: Literal["light", "dark"], width: int
) -> None:
    page = signed_in
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(LIST)
    keep(page, f"breakers-{scheme}-{width}")
    wide = [page.evaluate("document.documentElement.scrollWidth")]
    page.get_by_role("link", name="imagen:").click()
    keep(page, f"breaker-{scheme}-{width}")
    wide.append(page.evaluate("document.documentElement.scrollWidth"))
    assert max(wide) <= width
    colours = page.evaluate(CONTRASTS, ".breaker-badge")
    assert colours
    assert min(colours) >= 4.5


# Of each badge against the page behind it, as WCAG has it.
CONTRASTS = """selector => {
  const channels = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.querySelectorAll(selector)].map(badge => {
    const pair = [getComputedStyle(badge).color, behind(badge)].map(c => light(channels(c)));
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  });
}"""
