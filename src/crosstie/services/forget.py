"""Forgetting: calls that ended are kept as long as deliveries, answers as long as any may stand in for a service."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta

import asyncpg
import structlog

from crosstie.declare.service import Service, Stale
from crosstie.kit import clock

#: seconds between two looks, and rows that go in one commit
EVERY, MOST = 3600.0, 5_000
logger = structlog.get_logger()


class Forgetting:
    """Lets go of what is past its time. Any number of processes may."""

    def __init__(self, pool: asyncpg.Pool, services: Iterable[Service], days: int) -> None:
        self._pool = pool
        self._calls = timedelta(days=days)
        operations = [each for service in services for each in service.operations]
        stale = [each.fallback.seconds for each in operations if isinstance(each.fallback, Stale)]
        self._answers = timedelta(seconds=max(stale, default=0))

    async def run(self) -> None:
        """Forget once an hour, until cancelled."""
        while True:
            try:
                await self.forget()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                logger.warning("services.forget_failed", error=repr(error))
            await asyncio.sleep(EVERY)

    async def forget(self) -> int:
        """Let go of all that is past its time now; answers how much that was."""
        total, gone, now = 0, MOST, clock.now()
        while gone >= MOST:
            times = now - self._answers, now - self._calls
            gone = await self._pool.fetchval("SELECT services_forget($1, $2, $3)", *times, MOST)
            total += gone
        return total
