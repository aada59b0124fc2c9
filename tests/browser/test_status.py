"""The status page in a real browser, signed in: what is down and why, in both languages, on a telephone."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from playwright.async_api import Page, expect

from tests.browser.conftest import Visiting
from tests.integration.access.people import PASSWORD, firm, join
from tests.integration.watch.test_alerts import endpoint, of_kind, until
from tests.receiver import Receiver
from tests.stage import PATIENCE, Stage

pytestmark = pytest.mark.timeout(300)
MILLISECONDS = PATIENCE * 1000


async def test_what_is_down_and_why(stage: Stage, receiver: Receiver, visit: Visiting) -> None:
    tenant = await firm(stage)
    boss, viewer = await join(stage, tenant, "owner"), await join(stage, tenant, "viewer")
    receiver.answer = lambda received: web.Response(status=503)
    async with tenant.client() as client:
        await endpoint(client, receiver)
        await endpoint(client, receiver, url="https://example.com/other", event_types=["quote.*"])
        await client.post("/api/v1/clients", json={"name": "A"})
        await until(lambda: of_kind(client, "unavailable", "firing"), "the alert fires")

    visitor = await visit(viewport={"width": 360, "height": 740})
    page = visitor.page
    await page.goto(f"{stage.url}/status", timeout=MILLISECONDS)
    await page.fill("input[name=email]", boss)
    await page.fill("input[name=password]", PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator(".state.down").last).to_contain_text("http_503", timeout=MILLISECONDS)
    await expect(page.locator(".state.up")).to_contain_text("example.com")
    await expect(page.locator(".plain").first).to_contain_text("An integration is down")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await shot(visitor.page, "status-en")
    await page.click("header a")
    await expect(page.locator("html")).to_have_attribute("dir", "rtl")
    await expect(page.locator(".state.down").last).to_contain_text("متوقف")
    await shot(visitor.page, "status-ar")
    assert visitor.hosts - {""} == {urlsplit(stage.url).netloc}
    assert not visitor.complaints

    other = (await visit()).page
    await other.goto(f"{stage.url}/login?next=/status", timeout=MILLISECONDS)
    await other.fill("input[name=email]", viewer)
    await other.fill("input[name=password]", PASSWORD)
    async with other.expect_response(lambda answer: answer.url.endswith("/status")) as answered:
        await other.keyboard.press("Enter")
    assert (await answered.value).status == 403


async def shot(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look at it."""
    folder = os.environ.get("CROSSTIE_SHOTS")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
