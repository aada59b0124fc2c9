"""People of a tenant, and a browser without scripts with which they sign in."""

from __future__ import annotations

import re
import secrets
from functools import cache
from html import unescape
from typing import Any

import httpx2
from argon2 import PasswordHasher

from crosstie.access import tenant as tenants
from crosstie.access.user import USERS
from crosstie.app import opened
from crosstie.log import change
from tests.stage import EVERYTHING, Stage, Tenant, calling

PASSWORD = "velvet gravel harmonica 41"
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


@cache
def kept() -> str:
    """The password as it is kept, for all who have it: to hash it takes long by design."""
    return PasswordHasher().hash(PASSWORD)


async def join(stage: Stage, tenant: Tenant, role: str, **fields: Any) -> str:
    """A user with the password; his address."""
    email = fields.pop("email", None) or f"{role}-{secrets.token_hex(4)}@example.com"
    values = USERS.creation.decode({"email": email, "role": role, **fields})
    async with (
        opened(stage.settings, stage.dsns, work=False, name="test") as process,
        process.log.unit(tenant.id, EVERYTHING) as unit,
    ):
        await change.create(unit, USERS, values | {"password_hash": kept()})
    return str(email)


async def firm(stage: Stage, second_factor: str = "optional") -> Tenant:
    """A tenant of its own, in which nobody is asked for a second factor unless told so."""
    tenant = await stage.tenant()
    async with tenant.client() as client:
        changed = await client.patch(f"/api/v1/tenants/{tenant.id}", json={"second_factor": second_factor})
        assert changed.status_code == 200, changed.text
    return tenant


async def remove(stage: Stage, slug: str) -> None:
    """Suspend a tenant."""
    async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
        found = await tenants.find(process.log.app, slug)
        await tenants.set_status(process.log.app, process.vault, found["id"], "suspended")


class Browser:
    """Loads pages and sends their forms, with the hidden fields that they had."""

    def __init__(self, stage: Stage) -> None:
        self.client = calling(stage.url)

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *args: object) -> None:
        await self.client.aclose()

    async def open(self, path: str, **query: str) -> httpx2.Response:
        """A page."""
        return await self.client.get(path, params=query)

    async def send(self, path: str, values: dict[str, str], page: str | None = None, **query: str) -> httpx2.Response:
        """Load the page (the path's own, unless another is named), fill in its form, send it."""
        loaded = await self.open(page or path, **query)
        hidden = {name: unescape(value) for name, value in HIDDEN.findall(loaded.text)}
        return await self.client.post(path, data=hidden | values, params=query)

    async def log_in(self, email: str, password: str = PASSWORD, tenant: str = "", **query: str) -> httpx2.Response:
        """Sign in with a password."""
        return await self.send("/login", {"email": email, "password": password, "tenant": tenant}, **query)
