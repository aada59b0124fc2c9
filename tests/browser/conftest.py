"""Chromium, without a window, at one installation; every host that a page asks is noted."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, async_playwright


@dataclass
class Visit:
    """A page in a browser of its own, and what it did."""

    page: Page
    hosts: set[str] = field(default_factory=set)
    #: what the browser complained about: scripts that failed, things that the policy refused
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)


Visiting = Callable[..., Awaitable[Visit]]


@pytest.fixture
async def visit() -> AsyncIterator[Visiting]:
    """Opens a browser; options are those of a Playwright context (`color_scheme`, `viewport` …)."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("NOT RUN: there is no Chromium here (Debian: apt-get install chromium; elsewhere set CHROMIUM)")
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        # the sandbox of the browser itself wants rights that containers and root do not have
        browser = await playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        stack.push_async_callback(browser.close)

        async def opened(**options: Any) -> Visit:
            context = await browser.new_context(**options)
            return Visit(await context.new_page())

        yield opened
