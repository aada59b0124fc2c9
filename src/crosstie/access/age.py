"""Keys that grow old: once a quarter an event says of each that its secret has not been changed."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from crosstie.access.key import API_KEYS, ApiKey
from crosstie.db.statement import Statement
from crosstie.log import change
from crosstie.log.rounds import Rounds

QUARTER = timedelta(days=90)
OLD = Statement(
    "UPDATE api_keys SET warned_at = $1::timestamptz WHERE secret_at <= $2::timestamptz AND revoked_at IS NULL"
    " AND (expires_at IS NULL OR expires_at > $1::timestamptz)"
    " AND (warned_at IS NULL OR warned_at <= $2::timestamptz) RETURNING *",
    ["now", "before"],
)


class Ages(Rounds):
    """Looks at the keys of all tenants. Any number of processes may: each key is told of once."""

    EVERY = 600.0

    async def sweep(self, tenant_id: UUID) -> int:
        """Tell of the old keys of one tenant; answers how many there were."""
        async with self._log.unit(tenant_id) as unit:
            rows = await unit.fetch(OLD, now=unit.now, before=unit.now - QUARTER)
            for row in rows:
                change.tell(unit, API_KEYS, "api_key.aged", ApiKey.view(row))
        return len(rows)
