"""What keys are used for: requests per key and day, counted in memory and written together every few seconds."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import UUID

import asyncpg
import sqlalchemy as sa
import structlog

from crosstie.db import session
from crosstie.db.engine import TROUBLE
from crosstie.db.statement import Statement
from crosstie.declare.row import Row
from crosstie.kit import clock

#: seconds between two writes: as much may be missing after a crash
EVERY = 10.0
#: days that are shown
SHOWN = 400

logger = structlog.get_logger()

key_usage = sa.Table(
    "key_usage",
    Row.metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("key_id", sa.Uuid, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("requests", sa.BigInteger, nullable=False),
    info={"reach": "batch", "app": "SELECT, DELETE", "batch": "SELECT, INSERT, UPDATE"},
)
READ = Statement(
    f"SELECT day, requests FROM key_usage WHERE key_id = $1::uuid ORDER BY day DESC LIMIT {SHOWN}",  # noqa: S608  # a number
    ["key"],
)
FORGET = Statement("DELETE FROM key_usage WHERE tenant_id = $1::uuid AND key_id = $2::uuid", "12")
ADD = """
INSERT INTO key_usage AS u (tenant_id, key_id, day, requests)
  SELECT t, k, $3::date, n FROM unnest($1::uuid[], $2::uuid[], $4::bigint[]) AS g (t, k, n)
  ON CONFLICT (tenant_id, key_id, day) DO UPDATE SET requests = u.requests + excluded.requests
"""


class Usage:
    """Writes what is counted in `used`: requests by tenant and key. One per process that serves."""

    def __init__(self, pool: asyncpg.Pool, used: Counter[tuple[UUID, str]], every: float = EVERY) -> None:
        self._pool = pool
        self._used = used
        self._every = every

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await asyncio.sleep(self._every)
            await self.flush()

    async def flush(self) -> None:
        """Write what was counted since the last time; it is kept where the database is away."""
        counted = sorted(self._used.items())  # in one order, so that no two processes wait for each other
        self._used.clear()
        if not counted:
            return
        tenants, keys = [tenant for (tenant, _), _ in counted], [UUID(key) for (_, key), _ in counted]
        try:
            async with session.of_tenants(self._pool, set(tenants)) as connection:
                await connection.execute(ADD, tenants, keys, clock.now().date(), [number for _, number in counted])
        except (*TROUBLE, TimeoutError) as error:
            self._used.update(dict(counted))
            logger.warning("usage.failed", error=repr(error))
