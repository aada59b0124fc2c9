"""Reports in a real browser: read as they should, run nothing and ask nobody, whatever the template says."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visiting
from tests.contract.noun.samples import World
from tests.receiver import Receiver
from tests.stage import Stage, Tenant

pytestmark = pytest.mark.timeout(300)
EVIL = """<h1>{{ words.quote }}</h1><script>document.title = "taken"</script><img src="URL/x.png">
<img src=x onerror="document.title = 'taken'"><style>h1 { color: rgb(1, 2, 3) }</style>
<link rel="stylesheet" href="URL/x.css"><iframe src="URL/"></iframe>
<form action="URL/"><button id="go">Go</button></form><p style="color: red">{{ client }}</p>"""


async def test_a_page_runs_nothing_and_asks_nobody(
    stage: Stage, tenant: Tenant, visit: Visiting, receiver: Receiver, tmp_path: Path
) -> None:
    async with tenant.client() as client:
        made = (await World(client).make("quotes")).json()
        templates = {"quote": EVIL.replace("URL", receiver.url)}
        saved = await client.patch(f"/api/v1/settings/{tenant.id}", json={"reports": {"templates": templates}})
        assert saved.status_code == 200, saved.text
    visitor = await visit(extra_http_headers={"authorization": f"Bearer {tenant.key}"})
    page = visitor.page
    await page.goto(f"{stage.url}/api/v1/quotes/{made['id']}/report?locale=ar")
    await expect(page.locator("html")).to_have_attribute("dir", "rtl")
    await expect(page.locator("h1")).to_have_text("عرض سعر")
    assert await page.title() != "taken"
    assert await page.locator("h1").evaluate("each => getComputedStyle(each).color") != "rgb(1, 2, 3)"
    await page.locator("#go").click()
    assert page.url.startswith(stage.url)
    # the same once it is a file, that no server says anything about
    (tmp_path / "quote.html").write_text(await page.content())
    await page.goto((tmp_path / "quote.html").as_uri())
    await expect(page.locator("h1")).to_have_text("عرض سعر")
    assert await page.title() != "taken"
    assert receiver.got == []
    assert any("Content Security Policy" in each for each in visitor.complaints), "red proof: the policy had work to do"
