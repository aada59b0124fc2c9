"""Keys that grow old: once a quarter an event says of each that its secret has not been changed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import structlog

from crosstie.access.key import API_KEYS, ApiKey
from crosstie.db.engine import TROUBLE
from crosstie.db.statement import Statement
from crosstie.log import change
from crosstie.log.unit import Log

QUARTER = timedelta(days=90)
#: seconds between two looks
SWEEP = 600.0
OLD = Statement(
    "UPDATE api_keys SET warned_at = $1::timestamptz WHERE secret_at <= $2::timestamptz AND revoked_at IS NULL"
    " AND (expires_at IS NULL OR expires_at > $1::timestamptz)"
    " AND (warned_at IS NULL OR warned_at <= $2::timestamptz) RETURNING *",
    ["now", "before"],
)

logger = structlog.get_logger()


class Ages:
    """Looks at the keys of all tenants. Any number of processes may: each key is told of once."""

    def __init__(self, log: Log, every: float = SWEEP) -> None:
        self._log = log
        self._every = every

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._every)
            try:
                for row in await self._log.app.fetch("SELECT id FROM tenant_list() WHERE status = 'active'"):
                    await self.sweep(row["id"])
            except TROUBLE as error:
                logger.warning("ages.failed", error=repr(error))

    async def sweep(self, tenant_id: UUID) -> int:
        """Tell of the old keys of one tenant; answers how many there were."""
        async with self._log.unit(tenant_id) as unit:
            rows = await unit.fetch(OLD, now=unit.now, before=unit.now - QUARTER)
            for row in rows:
                change.tell(unit, API_KEYS, "api_key.aged", ApiKey.view(row))
        return len(rows)
