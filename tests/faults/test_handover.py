"""Every hand-over between the table and the processes, broken on purpose: nothing is left standing."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from aiohttp import web

from tests.faults.firm import firm, hook, job
from tests.faults.rig import Rig
from tests.receiver import Received, Receiver


@pytest.mark.parametrize("holder", ["its own", "nobody"])
async def test_a_lease_that_nobody_knows_of_comes_back(served: Rig, receiver: Receiver, holder: str) -> None:
    """What a commit leaves whose answer was lost, or a worker that is no more."""
    async with firm(served) as (tenant, client, client_id):
        await hook(client, receiver.url)
        await job(client, client_id)
        await receiver.wait(1)
        await served.drained([tenant])
        lease = "SELECT id FROM workers ORDER BY seen_at DESC LIMIT 1" if holder == "its own" else "SELECT $2::uuid"
        await served.ask(
            f"UPDATE deliveries SET status = 'delivering', finished_at = NULL, attempts = attempts + 1,"
            f" leased_by = ({lease}) WHERE tenant_id = $1 AND ($2::uuid IS NOT NULL) RETURNING id",
            tenant.id,
            uuid4(),
        )
        await receiver.wait(2)
        await served.drained([tenant])


async def test_the_outbox_is_swept_while_there_is_news_all_the_time(served: Rig, receiver: Receiver) -> None:
    """An API that was killed between its commit and its NOTIFY leaves an event that only a sweep finds."""
    async with firm(served) as (quiet, client, client_id), firm(served) as (_, noisy, noisy_id):
        await hook(client, receiver.url)
        await job(client, client_id)
        await receiver.wait(1)

        async def noise() -> None:
            while True:
                await job(noisy, noisy_id)
                await asyncio.sleep(0.2)

        making = asyncio.create_task(noise())
        await asyncio.sleep(1)
        await served.ask(
            "INSERT INTO outbox (tenant_id, id) SELECT tenant_id, id FROM events WHERE tenant_id = $1"
            " AND type = 'job.created' RETURNING id",
            quiet.id,
        )
        await receiver.wait(2)
        making.cancel()


async def test_a_cancelled_head_lets_the_next_of_its_lane_go(served: Rig, receiver: Receiver) -> None:
    receiver.answer = lambda got: web.Response(status=500 if got.envelope["event_type"] == "job.created" else 204)
    async with firm(served) as (tenant, client, client_id):
        await hook(client, receiver.url, ordering="subject", retry_schedule=[600])
        await job(client, client_id, "approve")
        await receiver.wait(1, "job.created")
        await asyncio.sleep(1)
        assert not receiver.of("job.approved")
        listed = await client.get("/api/v1/deliveries", params={"status": "retrying"})
        (head,) = listed.json()["data"]
        cancelled = await client.post(f"/api/v1/deliveries/{head['id']}/cancel", json={})
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled"), cancelled.text
        await receiver.wait(1, "job.approved")
        await served.drained([tenant])


async def test_what_is_tried_again_keeps_the_order_of_its_lane(served: Rig, receiver: Receiver) -> None:
    """Dead letters of one subject, recovered together, go one after the other."""
    moves = ("approve", "schedule")
    fine = False
    under_way = most = 0

    async def answer(got: Received) -> web.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.1)
        under_way -= 1
        return web.Response(status=204 if fine else 500)

    receiver.answer = answer
    async with firm(served) as (tenant, client, client_id):
        endpoint = await hook(client, receiver.url, ordering="subject", retry_schedule=[1])
        await job(client, client_id, *moves)
        await served.drained([tenant])
        assert await served.ask("SELECT count(*) FROM dead_letters WHERE tenant_id = $1", tenant.id) == len(moves) + 1
        receiver.got.clear()
        fine, most = True, 0
        begun = await client.post(
            f"/api/v1/webhook-endpoints/{endpoint}/recover", json={"since": "2020-01-01T00:00:00Z"}
        )
        assert begun.status_code == 202, begun.text
        await receiver.wait(len(moves) + 1)
        await served.drained([tenant])
    assert [got.envelope["sequence"] for got in receiver.got] == list(range(1, len(moves) + 2))
    assert most == 1


async def test_deliveries_of_an_endpoint_that_is_gone_end(served: Rig, receiver: Receiver) -> None:
    receiver.answer = lambda got: web.Response(status=500)
    async with firm(served) as (tenant, client, client_id):
        endpoint = await hook(client, receiver.url, retry_schedule=[600])
        await job(client, client_id)
        await receiver.wait(1)
        gone = await client.delete(f"/api/v1/webhook-endpoints/{UUID(endpoint)}")
        assert gone.status_code == 204, gone.text
        await served.drained([tenant])
