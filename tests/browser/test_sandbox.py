"""The sandbox's pages in a real browser: both languages, narrow screens, by keyboard, nothing refused by the policy."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visiting
from tests.browser.test_manual import MILLISECONDS, NARROW
from tests.parts.outside import Outside, standing

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def outside() -> Iterator[Outside]:
    with standing() as found:
        yield found


@pytest.mark.parametrize(("lang", "direction"), [("en", "ltr"), ("ar", "rtl")])
async def test_pages_fit_a_telephone_in_both_languages(
    outside: Outside, visit: Visiting, lang: str, direction: str
) -> None:
    with outside.client() as caller:
        caller.post("/story")
        outside.fault("inventory.", "drip", times=0)
        caller.get("/api/v1/treasury/accounts")
        caller.post("/hooks/demo", json={"event_type": "job.created"})
    visitor = await visit(viewport=NARROW, locale=lang)
    for path in ("/", "/services", "/story"):
        await visitor.page.goto(f"{outside.url}{path}?follow=0", timeout=MILLISECONDS)
        assert await visitor.page.evaluate("document.documentElement.dir") == direction
        assert await visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert "built-in" not in await visitor.page.content()
    assert visitor.hosts - {""} == {urlsplit(outside.url).netloc}
    assert visitor.complaints == []


async def test_a_fault_is_set_and_taken_away_by_keyboard(outside: Outside, visit: Visiting) -> None:
    page = (await visit()).page
    await page.goto(f"{outside.url}/services", timeout=MILLISECONDS)
    await page.get_by_label("Operation").focus()
    await page.keyboard.type("treasury.create_bill")
    for keys in ("reset", "503", "", "3", "4"):
        await page.keyboard.press("Tab")
        if keys == "reset":
            await page.keyboard.type("does the work, cuts")
        elif keys:
            await page.keyboard.type(keys)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    button = page.get_by_role("button", name="Take away")
    await expect(button).to_be_visible(timeout=MILLISECONDS)
    with outside.client() as caller:
        found = caller.get("/services/faults").json()["data"]
    assert found == [
        {"service": "treasury", "operation": "create_bill", "kind": "reset", "status": 503, "retry_after": None,
         "seconds": 3, "times": 4}
    ]  # fmt: skip
    await button.press("Enter")
    await expect(button).to_be_hidden(timeout=MILLISECONDS)


async def test_the_story_is_begun_and_followed(outside: Outside, visit: Visiting) -> None:
    page = (await visit()).page
    await page.goto(f"{outside.url}/story", timeout=MILLISECONDS)
    await page.get_by_role("button", name="Win an opportunity").press("Enter")
    await expect(page.get_by_text("erp.opportunity.won")).to_be_visible(timeout=MILLISECONDS)
    await page.get_by_role("link", name="Stop following").press("Enter")
    await expect(page.get_by_role("link", name="Follow", exact=True)).to_be_visible(timeout=MILLISECONDS)
