"""The documentation and the reference in a real browser: no other host, nothing refused by the policy, by keyboard, on
narrow and dark screens; and a call from "try it" with a key."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visiting
from tests.stage import PATIENCE, Stage, Tenant

PAGES = (
    "/docs",
    "/docs/how-to/receive-webhooks",
    "/docs/reference/settings",
    "/docs/search?q=webhook",
    "/reference",
    "/reference/operations/jobs",
    "/reference/events/job.created",
    "/reference/try",
)
#: a browser is slow where many things run at once
pytestmark = pytest.mark.timeout(300)
NARROW = {"width": 360, "height": 740}
MILLISECONDS = PATIENCE * 1000


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_ask_no_other_host_and_fit_a_telephone(scheme: str, stage: Stage, visit: Visiting) -> None:
    visitor = await visit(color_scheme=scheme, viewport=NARROW)
    papers = set()
    for address in PAGES:
        await visitor.page.goto(stage.url + address, timeout=MILLISECONDS)
        if address == "/reference/try":
            await expect(visitor.page.locator("#ui .opblock-tag").first).to_be_visible(timeout=MILLISECONDS)
        assert await visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
        papers.add(await visitor.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert visitor.hosts - {""} == {urlsplit(stage.url).netloc}
    assert visitor.complaints == []
    assert ("rgb(255, 255, 255)" in papers) == (scheme == "light")


async def test_the_keyboard_is_enough(stage: Stage, visit: Visiting) -> None:
    page = (await visit()).page
    await page.goto(f"{stage.url}/docs")
    await page.keyboard.press("Tab")
    await expect(page.locator(":focus")).to_have_text("To the content")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.locator(":focus")).to_have_text("Your first webhook in five minutes")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/docs/tutorials/first-webhook")
    await page.get_by_role("searchbox").press_sequentially("dead letters")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/docs/search?q=dead+letters")
    await expect(page.locator("main a[href='/docs/how-to/retries-and-dead-letters']")).to_be_visible()


async def test_an_operation_is_tried_with_a_key(stage: Stage, tenant: Tenant, visit: Visiting) -> None:
    visitor = await visit()
    page = visitor.page
    await page.goto(f"{stage.url}/reference/try#/jobs/jobs.list", timeout=MILLISECONDS)
    await page.get_by_role("button", name="Authorize").first.click(timeout=MILLISECONDS)
    await page.get_by_label("auth-bearer-value").fill(tenant.key)
    await page.get_by_label("Apply credentials").first.click()
    await page.locator(".close-modal").click()
    operation = page.locator(".opblock.is-open")
    await operation.get_by_role("button", name="Execute").click(timeout=MILLISECONDS)
    answer = operation.locator(".live-responses-table .response").first
    await expect(answer).to_contain_text("200", timeout=MILLISECONDS)
    await expect(answer).to_contain_text("has_more")
    assert visitor.hosts - {""} == {urlsplit(stage.url).netloc}
    assert visitor.complaints == []
