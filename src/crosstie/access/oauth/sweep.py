"""What OAuth keeps is forgotten when it is over: codes, families with their refresh tokens, revocations."""

from __future__ import annotations

import asyncio
from uuid import UUID

import structlog

from crosstie.access.oauth import kept
from crosstie.db import session
from crosstie.db.engine import TROUBLE
from crosstie.kit import clock
from crosstie.log.unit import Log

#: seconds between two looks
SWEEP = 600.0
logger = structlog.get_logger()


class Sweeper:
    """Looks at all tenants, suspended ones too. Any number of processes may: what is gone is gone."""

    def __init__(self, log: Log, every: float = SWEEP) -> None:
        self._log = log
        self._every = every

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._every)
            try:
                for row in await self._log.app.fetch("SELECT id FROM tenant_list()"):
                    await self.sweep(row["id"])
            except TROUBLE as error:
                logger.warning("oauth.sweep_failed", error=repr(error))

    async def sweep(self, tenant_id: UUID) -> None:
        """Forget what is over for one tenant."""
        async with session.of_tenant(self._log.app, tenant_id) as connection:
            await kept.sweep(connection, clock.now())
