"""What a restore leaves in the audit log: for each chain a signed word where it ended at that moment, and an entry.

Checkpoints of the time that was lost count more than is there. The word tells that time from entries that somebody cut
off: it is signed with the key of checkpoints, lies beside them, and excuses nothing that came after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from crosstie.access import audit, chain
from crosstie.access.anchor import Anchors, Checkpoint
from crosstie.db import session
from crosstie.kit import clock
from crosstie.log.event import OPERATOR
from crosstie.log.trail import Act
from crosstie.log.unit import Cipher

HEAD = "SELECT position, hash FROM audit_heads WHERE tenant_id = $1"


async def mark(pool: asyncpg.Pool, cipher: Cipher, anchors: Anchors, facts: Mapping[str, Any]) -> None:
    """Say, outside the database and in it, that this installation comes out of a backup. `facts` go into the entries.

    Before anything serves. That of the nil tenant stands for tenants that the backup does not know, too.
    """
    at = clock.now()
    tenants = [row["id"] for row in await pool.fetch("SELECT id FROM tenant_list()")]
    words = [await _word(pool, tenant_id, at) for tenant_id in (audit.INSTALLATION, *tenants)]
    await asyncio.to_thread(anchors.write, words)
    await anchors.push()
    for tenant_id in tenants:
        async with session.of_tenant(pool, tenant_id) as connection:
            act = Act("tenants.restore", "tenant", str(tenant_id), after=facts)
            await audit.write(connection, cipher, tenant_id, OPERATOR, act)


async def _word(pool: asyncpg.Pool, tenant_id: UUID, at: datetime) -> Checkpoint:
    async with session.of_tenant(pool, tenant_id) as connection:
        head = await connection.fetchrow(HEAD, tenant_id)
    position, hashed = (head["position"], head["hash"]) if head else (0, chain.genesis(tenant_id))
    return Checkpoint(tenant_id, position, position, hashed, b"", at, restored=True)
