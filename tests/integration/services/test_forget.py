"""What is past its time is let go of; what waits for somebody is not."""

from __future__ import annotations

import httpx2

from crosstie.app import opened
from crosstie.catalog import catalogue
from crosstie.services.forget import forgetting
from tests.integration.services.conftest import INVOICE, provide
from tests.parts.peer import Peer
from tests.stage import Stage, Tenant


async def test_old_calls_and_answers_go(
    client: httpx2.AsyncClient, treasury: Peer, tenant: Tenant, stage: Stage
) -> None:
    await provide(client, treasury, "inventory")
    await treasury.fail("ok", "422", "ok")
    for _ in range(3):
        await client.post("/api/v1/treasury/invoices", json=INVOICE)
    await client.get("/api/v1/inventory/warehouses")
    connection = await stage.superuser()
    old = "now() - interval '40 days'"
    mine = "tenant_id = $1"
    await connection.execute(f"UPDATE service_calls SET finished_at = {old} WHERE {mine}", tenant.id)
    await connection.execute(f"UPDATE service_answers SET asked_at = {old} WHERE {mine}", tenant.id)
    last = f"(SELECT id FROM service_calls WHERE {mine} ORDER BY id DESC LIMIT 1)"
    await connection.execute(f"UPDATE service_calls SET status = 'dead' WHERE {mine} AND id = {last}", tenant.id)
    async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
        await forgetting(process.log.worker, catalogue().services.values(), 60).forget()
        assert await connection.fetchval(f"SELECT count(*) FROM service_calls WHERE {mine}", tenant.id) == 3
        assert await connection.fetchval(f"SELECT count(*) FROM service_answers WHERE {mine}", tenant.id) == 0
        await forgetting(process.log.worker, catalogue().services.values(), 30).forget()
    assert await connection.fetchval(f"SELECT status FROM service_calls WHERE {mine}", tenant.id) == "dead"
    assert await connection.fetchval(f"SELECT count(*) FROM service_calls WHERE {mine}", tenant.id) == 1
    await connection.close()
