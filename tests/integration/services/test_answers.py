"""Answers that are kept: fresh ones are used again, events end that, old ones stand in and say how old they are."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.integration.services.conftest import provide, until
from tests.parts.peer import Peer
from tests.stage import Stage, Tenant

STOCK = "/api/v1/inventory/items/i-1/stock"
UPDATED = {"item_id": "i-1", "stock_level": 7, "warehouse_id": "w-1"}


async def test_a_fresh_answer_is_used_again_until_an_event(client: httpx2.AsyncClient, remote: Peer) -> None:
    await provide(client, remote, "inventory")
    first = await client.get(STOCK)
    again = await client.get(STOCK)
    assert first.json() == again.json()
    assert "age" not in first.headers
    assert again.headers["age"] == "0"
    assert len(await remote.seen()) == 1
    other = await client.get(STOCK, params={"warehouse_id": "w-2"})
    assert other.json() != first.json()
    event = {"event_id": "stock-1", "event_type": "inventory.stock.updated", "data": UPDATED}
    assert (await client.post("/api/v1/events", json=event)).status_code == 202

    async def renewed() -> Any:
        return (await client.get(STOCK)).json() != first.json()

    await until(renewed)


async def test_an_old_answer_stands_in(client: httpx2.AsyncClient, remote: Peer, tenant: Tenant, stage: Stage) -> None:
    await provide(client, remote, "inventory")
    first = await client.get(STOCK)
    connection = await stage.superuser()
    move = "UPDATE service_answers SET asked_at = asked_at - $2::float8 * interval '1 second' WHERE tenant_id = $1"
    await connection.execute(move, tenant.id, 600.0)
    await remote.fail(usual="503")
    answer = await client.get(STOCK)
    assert (answer.status_code, answer.json()) == (200, first.json())
    assert answer.headers["crosstie-fallback"] == "stale"
    assert 600 <= int(answer.headers["age"]) < 900
    await connection.execute(move, tenant.id, 3600.0)  # older than the contract lets it be
    answer = await client.get(STOCK)
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    await connection.close()


async def test_another_provider_is_asked_anew(client: httpx2.AsyncClient, remote: Peer) -> None:
    await provide(client, remote, "inventory")
    first = await client.get(STOCK)
    await provide(client, remote, "inventory", type="api_key", secret="other")

    async def renewed() -> Any:
        return (await client.get(STOCK)).json() != first.json()

    await until(renewed, 20)
