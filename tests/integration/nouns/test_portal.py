"""The client's page for a quote: no scripts, two languages, answers by a plain form."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import httpx2
import pytest

from tests.integration.nouns.conftest import LINE, Make, events
from tests.stage import calling

EVIL = "<script>alert('x')</script>\"'&"


class Page(HTMLParser):
    """What a browser would see: tags, attributes, the style's text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.style = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.style += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture
async def browser(client: httpx2.AsyncClient) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody without a credential."""
    async with calling(str(client.base_url)) as found:
        yield found


async def linked(client: httpx2.AsyncClient, make: Make, job: dict[str, Any], **values: Any) -> tuple[str, str]:
    """A sent quote's id, and the path of its page."""
    quote = await make("quotes", **{"job_id": job["id"], "lines": [LINE], **values})
    await client.post(f"/api/v1/quotes/{quote['id']}/send")
    made = await client.post(f"/api/v1/quotes/{quote['id']}/link")
    assert made.json()["url"].startswith(str(client.base_url))
    return quote["id"], made.json()["url"].removeprefix(str(client.base_url).rstrip("/"))


async def test_the_page_shows_the_quote_and_runs_nothing(
    client: httpx2.AsyncClient, browser: httpx2.AsyncClient, make: Make, job: dict[str, Any]
) -> None:
    line = LINE | {"description": EVIL}
    _, path = await linked(client, make, job, title=EVIL, lines=[line], valid_until="2099-01-01T00:00:00Z")

    shown = await browser.get(path)

    assert shown.status_code == 200, shown.text
    page = Page(shown.text)
    assert not page.all("script")
    assert not page.all("img")
    assert not any(name.startswith("on") or name == "style" for _, attrs in page.tags for name in attrs)
    digest = b64encode(sha256(page.style.encode()).digest()).decode()
    policy = shown.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert shown.headers["referrer-policy"] == "no-referrer"
    assert shown.headers["cache-control"] == "no-store"
    assert "R689.83" in shown.text.replace("\u00a0", "")
    assert page.all("html")[0] == {"lang": "en", "dir": "ltr"}
    assert all(not attrs.get("tabindex", "0").startswith("-") for _, attrs in page.tags if attrs.get("tabindex"))  # type: ignore[union-attr]
    assert len(page.all("label")) == len(page.all("input")) + len(page.all("textarea"))


async def test_the_page_speaks_arabic(
    client: httpx2.AsyncClient, browser: httpx2.AsyncClient, make: Make, job: dict[str, Any]
) -> None:
    _, path = await linked(client, make, job)
    for shown in (
        await browser.get(path, headers={"accept-language": "ar-AE,ar;q=0.9,en;q=0.5"}),
        await browser.get(path, params={"lang": "ar"}),
    ):
        assert Page(shown.text).all("html")[0] == {"lang": "ar", "dir": "rtl"}
        assert "عرض سعر" in shown.text
    assert (await browser.get(path, headers={"accept-language": "de"})).text.count('lang="en"') == 1
    gone = await browser.get("/portal/quotes/x", params={"lang": "ar"})
    assert (gone.status_code, Page(gone.text).all("html")[0]["dir"]) == (403, "rtl")


async def test_the_form_approves_once(
    client: httpx2.AsyncClient, browser: httpx2.AsyncClient, make: Make, job: dict[str, Any]
) -> None:
    id, path = await linked(client, make, job)
    nameless = await browser.post(path, data={"action": "approve", "approver": " "})
    assert nameless.status_code == 422
    assert 'role="alert"' in nameless.text

    answered = await browser.post(path, data={"action": "approve", "approver": EVIL})

    assert answered.status_code == 303
    after = await browser.get(answered.headers["location"])
    assert after.status_code == 200
    assert 'role="status"' in after.text
    assert not Page(after.text).all("form")
    assert (await client.get(f"/api/v1/quotes/{id}")).json()["approver"] == EVIL
    again = await browser.post(path, data={"action": "decline"})
    assert (again.status_code, 'role="alert"' in again.text) == (409, True)
    assert len(await events(client, "quote.approved", "quote.declined")) == 1


async def test_the_form_declines(
    client: httpx2.AsyncClient, browser: httpx2.AsyncClient, make: Make, job: dict[str, Any]
) -> None:
    id, path = await linked(client, make, job)
    assert (await browser.post(path, data={"action": "decline", "reason": "Too dear"})).status_code == 303
    assert (await client.get(f"/api/v1/quotes/{id}")).json()["decline_reason"] == "Too dear"
    assert (await browser.post(path, json={"action": "approve"})).status_code == 415
    assert (await browser.head(path)).status_code in (403, 405)
    assert (await browser.post("/portal/quotes/x", data={"action": "approve", "approver": "T"})).status_code == 403
