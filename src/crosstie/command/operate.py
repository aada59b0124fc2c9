"""What an operator does on the database itself, without a login."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from crosstie import settings as configuration
from crosstie.access import tenant as tenants
from crosstie.access import user as users
from crosstie.access.key import API_KEYS
from crosstie.app import Process, opened
from crosstie.command import out
from crosstie.command.process import logs
from crosstie.installation import held
from crosstie.log import change
from crosstie.log.event import OPERATOR

T = TypeVar("T")


def on_database(work: Callable[[Process], Awaitable[T]]) -> T:
    """Run work on the configured database, which is started for it where it is embedded and at rest."""
    logs("warning")
    settings = configuration.load(os.environ, Path.cwd())

    async def run() -> T:
        async with opened(settings, at.serving, work=False, name="operator") as process:
            return await work(process)

    with held(settings, out.note) as at:
        return asyncio.run(run())


async def tenant(process: Process, name: str) -> asyncpg.Record:
    """The tenant of a slug or an id, with its keys at hand. Raises NotFound."""
    found = await tenants.find(process.log.app, name)
    await process.vault.load(process.log.app, found["id"])
    return found


async def make_key(process: Process, tenant_id: UUID, name: str, scopes: Sequence[str]) -> dict[str, Any]:
    """A new API key: its id, and the key itself, shown this once."""
    await process.vault.load(process.log.app, tenant_id)
    async with process.log.unit(tenant_id, OPERATOR) as unit:
        made = await change.create(unit, API_KEYS, API_KEYS.creation.decode({"name": name, "scopes": list(scopes)}))
    return {"id": made.id, "key": unit.shown["key"]}


async def make_user(
    process: Process, tenant_id: UUID, email: str, role: str, *, name: str | None = None, password: str | None = None
) -> dict[str, Any]:
    """A new user of a tenant."""
    async with process.log.unit(tenant_id, OPERATOR) as unit:
        made = await users.make(unit, email=email, role=role, name=name, secret=password)
    return {"id": made.id, "email": made.email, "role": made.role, "status": made.status}
