"""Forgetting: what is past its time is let go of once an hour, some of it in each commit."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import structlog

from crosstie.db.engine import TROUBLE
from crosstie.kit import clock

#: seconds between two looks, and rows of a kind that go in one commit
EVERY, MOST = 3600.0, 5_000
logger = structlog.get_logger()


class Forgetting:
    """Calls a function of the owner's with the times before which things are old. Any number of processes may."""

    def __init__(self, pool: asyncpg.Pool, function: str, *ages: timedelta) -> None:
        places = ", ".join(f"${number}" for number in range(1, len(ages) + 2))
        self._pool = pool
        self._query = f"SELECT {function}({places})"
        self._ages = ages

    async def run(self) -> None:
        """Forget once an hour, until cancelled."""
        while True:
            try:
                await self.forget()
            except TROUBLE as error:
                logger.warning("forget.failed", query=self._query, error=repr(error))
            await asyncio.sleep(EVERY)

    async def forget(self) -> int:
        """Let go of all that is past its time now; answers how much that was."""
        total, gone, now = 0, MOST, clock.now()
        while gone >= MOST:
            gone = await self._pool.fetchval(self._query, *(now - age for age in self._ages), MOST)
            total += gone
        return total
