"""Reading the audit log, and verifying it with the public key alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx2

from crosstie.access import anchor, verify
from crosstie.db import engine
from tests.stage import Stage

Entries = list[dict[str, Any]]


async def entries(client: httpx2.AsyncClient, **wanted: str) -> Entries:
    """The audit entries of a tenant, oldest first."""
    answer = await client.get("/api/v1/audit-entries", params={"limit": "200"} | wanted)
    assert answer.status_code == 200, answer.text
    return list(reversed(answer.json()["data"]))


async def verified(stage: Stage, tenant: UUID) -> dict[str, Any]:
    """The report on one tenant's chain, from the public key and the checkpoints of HOME alone."""
    folder = stage.home / anchor.FOLDER
    keys = anchor.read_keys(folder.glob(anchor.KEYS))
    lines = [line for path in folder.glob(anchor.LINES) for line in path.read_bytes().splitlines()]
    pool = await engine.pool(stage.dsns.app, size=1, name="verify")
    try:
        report = await verify.verify(pool, [tenant], anchor.read(lines, keys))
    finally:
        await pool.close()
    return report.document()
