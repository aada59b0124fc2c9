"""A broker that stops, comes back, or loses what it acknowledged: nothing of ours is lost, nobody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.faults.firm import hook
from tests.faults.wire import Wire
from tests.parts.command import Command
from tests.receiver import Receiver
from tests.stage import PATIENCE, Stage, Tenant, staged

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def hub(wire: Wire) -> Iterator[Stage]:
    with staged(brokers=(wire.url,)) as found:
        yield found


async def stored(wire: Wire, tenant: Tenant, count: int) -> list[dict[str, Any]]:
    """What the broker holds of a tenant's clients, once it is so many."""
    end = asyncio.get_running_loop().time() + 2 * PATIENCE
    while True:
        found = [
            event
            for event in await wire.kept()
            if event["tenant_id"] == str(tenant.id) and event["event_type"] == "client.created"
        ]
        if len(found) >= count:
            return found
        assert asyncio.get_running_loop().time() < end, len(found)


async def make(client: Any, names: range) -> None:
    for number in names:
        assert (await client.post("/api/v1/clients", json={"name": f"Firm {number}"})).status_code == 201


async def test_what_a_broker_missed_or_lost_reaches_it(hub: Stage, wire: Wire, receiver: Receiver) -> None:
    began = datetime.now(UTC) - timedelta(minutes=1)
    await wire.ready()
    tenant = await hub.tenant()
    async with tenant.client() as client:
        await hook(client, receiver.url, event_types=["client.created"])
        await make(client, range(10))
        await stored(wire, tenant, 10)
        await asyncio.to_thread(wire.stop)
        await make(client, range(10, 20))
        end = asyncio.get_running_loop().time() + PATIENCE
        while len({got.envelope["event_id"] for got in receiver.got}) < 20:  # nobody else waits for the broker
            assert asyncio.get_running_loop().time() < end
            await asyncio.sleep(0.05)
        await asyncio.to_thread(wire.start)
        kept = await stored(wire, tenant, 20)
        assert len({event["event_id"] for event in kept}) == len(kept) == 20

        await asyncio.to_thread(wire.stop)
        wire.wipe()
        await asyncio.to_thread(wire.start)
        await wire.ready()
        await make(client, range(20, 25))
        assert len(await stored(wire, tenant, 5)) == 5
        environ = {"CROSSTIE_BROKERS": wire.url, "CROSSTIE_EGRESS_ALLOW": "127.0.0.0/8"}
        command = Command(hub.home, environ)
        words = ("events", "republish", "--since", began.isoformat(), "--tenant", tenant.slug, "-t", "client.created")
        (counted,) = (await asyncio.to_thread(command, *words, "--dry-run", "-o", "jsonl")).many
        assert counted["count"] == 25
        (made,) = (await asyncio.to_thread(command, *words, "-o", "jsonl")).many
        assert made["count"] == 25
        again = await stored(wire, tenant, 30)
        assert {event["data"]["name"] for event in again} == {f"Firm {number}" for number in range(25)}
        dead = (await client.get("/api/v1/dead-letters")).json()["data"]
        assert not dead
