"""The demo tenant: made once, filled through the public API, and written down for whoever wants to try it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress

import httpx2
from rich.console import Console

from crosstie.access import tenant as tenants
from crosstie.app import Process, opened
from crosstie.command import http, kept, operate
from crosstie.command.kept import Demo, Login, Named
from crosstie.errors import NotFound
from crosstie.installation import Installation
from crosstie.sandbox import demo, post

SLUG, NAME = "demo", "Outeniqua Trades"
EMAIL = "admin@outeniqua.example"


async def load(at: Installation, tell: Callable[[str], None]) -> Demo:
    """The demo tenant of this installation, made and filled where it is not there yet."""
    async with opened(at.settings, at.serving, work=False, name="demo") as process:
        shown = await _tenant(process, kept.read(at.settings.home))
    if shown != kept.read(at.settings.home):
        kept.write(at.settings.home, shown)
    receiver = post.kept(at.settings.home)
    async with http.own(at.settings, shown.api_key) as client:
        try:
            count = await demo.load(client, receiver, tell)
        except httpx2.HTTPStatusError as error:
            # what is there can be used; the next start makes the rest
            tell(f"The demo tenant is not whole: {error.request.url.path} answered {error.response.text}")
            return shown
    if count:
        tell(f"Loaded {count} records of the demo tenant through the API")
    return shown


async def _tenant(process: Process, known: Demo | None) -> Demo:
    """The tenant with its admin and its key; what an earlier start wrote down is kept."""
    url = process.log.address
    try:
        id = (await tenants.find(process.log.app, SLUG))["id"]
    except NotFound:
        id = await tenants.make(process.log.app, process.vault, slug=SLUG, name=NAME, second_factor="optional")
    if known is not None and known.tenant.id == id:
        return Demo(url, known.admin, known.tenant, known.api_key)
    login = Login(f"admin-{secrets.token_hex(3)}@outeniqua.example" if known else EMAIL, secrets.token_urlsafe(12))
    await operate.make_user(process, id, login.email, "admin", password=login.password)
    key = await operate.make_key(process, id, "Demo", ["*"])
    return Demo(url, login, Named(id, SLUG), key["key"])


async def begin(sandbox: str) -> None:
    """Have the story of the demo told once: a won opportunity becomes an invoice at a treasury that fails twice.

    Where the sandbox is just away, it is told when somebody asks for it on its page.
    """
    async with httpx2.AsyncClient(base_url=sandbox, verify=False) as client:
        with suppress(httpx2.HTTPError):
            await _begin(client)


async def _begin(client: httpx2.AsyncClient) -> None:
    if (await client.get("/story", params={"format": "json"})).json()["opportunity"] is None:
        await client.post("/story")


def describe(console: Console, shown: Demo, sandbox: str) -> None:
    """Tell where everything is."""
    rows = {
        "API": f"{shown.url}/api/v1",
        "Docs": f"{shown.url}/docs",
        "Reference": f"{shown.url}/reference",
        "Sandbox": f"{sandbox}/",
        "Story": f"{sandbox}/story",
        "Sign in": f"{shown.url}/login",
        "Admin": f"{shown.admin.email}   {shown.admin.password}",
        "API key": shown.api_key,
    }
    console.print()
    for name, value in rows.items():
        console.print(f"  [bold]{name:<12}[/bold] {value}")
    console.print(f'\n  Try: curl -H "Authorization: Bearer {shown.api_key}" {shown.url}/api/v1/jobs\n')
    console.print("  What happens from now on (Ctrl-C stops everything):\n")
