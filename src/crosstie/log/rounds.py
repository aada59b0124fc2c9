"""Rounds: something that is done for one tenant after the other, every so often, by any number of processes."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import ClassVar
from uuid import UUID

import asyncpg
import structlog

from crosstie.db.engine import TROUBLE
from crosstie.log.unit import Log

#: the way to the database is gone, for every tenant alike
GONE = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)
logger = structlog.get_logger()


class Rounds(ABC):
    """Runs `sweep` for each tenant. What several processes do at once, it must bear."""

    #: seconds between two rounds, where nothing else is said
    EVERY: ClassVar[float]
    #: tenants that are suspended are passed over
    ACTIVE: ClassVar[bool] = True

    def __init__(self, log: Log, every: float | None = None) -> None:
        self._log = log
        self._every = self.EVERY if every is None else every

    async def run(self) -> None:
        """Go round until cancelled."""
        while True:
            await asyncio.sleep(self._every)
            try:
                for row in await self._log.app.fetch("SELECT id, status FROM tenant_list()"):
                    if row["status"] == "active" or not self.ACTIVE:
                        await self._one(row["id"])
            except TROUBLE as error:
                logger.warning("rounds.failed", what=type(self).__name__, error=repr(error))

    async def _one(self, tenant_id: UUID) -> None:
        """Sweep one tenant, whose trouble keeps no other waiting."""
        try:
            await self.sweep(tenant_id)
        except GONE:
            raise
        except Exception:
            logger.exception("rounds.tenant_failed", what=type(self).__name__, tenant_id=str(tenant_id))

    @abstractmethod
    async def sweep(self, tenant_id: UUID) -> object:
        """What is done for one tenant."""
