"""The health of endpoints: since when one fails, and when Crosstie gives it up."""

from __future__ import annotations

from uuid import UUID

from crosstie.db.engine import Connection
from crosstie.kit import clock
from crosstie.log.change import REROUTE
from crosstie.log.event import Event
from crosstie.log.record import event as made


async def failing(connection: Connection, tenant_id: UUID, id: UUID) -> None:
    """Its first failure after a success: the clock starts."""
    changed = await connection.fetchval(
        "UPDATE webhook_endpoints SET failing_since = now() WHERE tenant_id = $1 AND id = $2 AND failing_since IS NULL"
        " RETURNING id",
        tenant_id,
        id,
    )
    if changed:
        await connection.execute(REROUTE.text, tenant_id)


async def recovered(connection: Connection, tenant_id: UUID, id: UUID) -> None:
    """A success: the clock stops."""
    changed = await connection.fetchval(
        "UPDATE webhook_endpoints SET failing_since = NULL WHERE tenant_id = $1 AND id = $2"
        " AND failing_since IS NOT NULL RETURNING id",
        tenant_id,
        id,
    )
    if changed:
        await connection.execute(REROUTE.text, tenant_id)


async def disable(connection: Connection, tenant_id: UUID, id: UUID, reason: str) -> list[Event]:
    """Disable an endpoint; answers the warning event, where it was active until now."""
    row = await connection.fetchrow(
        "UPDATE webhook_endpoints SET status = 'disabled', disabled_reason = $3, updated_at = now(),"
        " revision = revision + 1 WHERE tenant_id = $1 AND id = $2 AND status = 'active' RETURNING url",
        tenant_id,
        id,
        reason,
    )
    if row is None:
        return []
    await connection.execute(REROUTE.text, tenant_id)
    data = {"webhook_endpoint_id": id, "url": row["url"], "reason": reason}
    return [made("webhook_endpoint.auto_disabled", tenant_id, data, ("webhook_endpoint", str(id)), clock.now())]
