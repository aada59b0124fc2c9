"""A tenant whose acts wait until the test has them sealed, and a superuser meanwhile."""

from __future__ import annotations

from typing import Any

import asyncpg

from crosstie.access.anchor import Anchors
from crosstie.access.seal import Sealer
from crosstie.app import Process, anchors
from crosstie.log import change
from crosstie.log.event import ORIGIN, Actor, Origin
from crosstie.modules.crm.client import CLIENTS
from tests.integration.audit.reading import verified
from tests.stage import Stage, Tenant

BOSS = Actor("user", "0190a000-0000-7000-8000-000000000001", frozenset("*"))


class Desk:
    def __init__(self, stage: Stage, process: Process, tenant: Tenant, superuser: asyncpg.Connection) -> None:
        self.stage, self.process, self.tenant, self.superuser = stage, process, tenant, superuser
        self.anchors: Anchors = anchors(stage.settings, process.vault)
        self._sealer = Sealer(process.log.worker, process.vault.witness, self.anchors)

    async def act(self, name: str) -> str:
        """Somebody makes a client; its id."""
        token = ORIGIN.set(Origin("req", lambda: "203.0.113.9"))
        try:
            async with self.process.log.unit(self.tenant.id, BOSS) as unit:
                return str((await change.create(unit, CLIENTS, CLIENTS.creation.decode({"name": name}))).id)
        finally:
            ORIGIN.reset(token)

    async def sealed(self) -> dict[str, Any]:
        """The report, after what waits was sealed, and what was found doing so."""
        for _ in range(3):
            await self._sealer.sweep()
        return await verified(self.stage, self.tenant.id)

    async def entries(self) -> list[asyncpg.Record]:
        """All there are, past every policy."""
        return await self.superuser.fetch(
            "SELECT * FROM audit_entries WHERE tenant_id = $1 ORDER BY position", self.tenant.id
        )
