"""One change, one transaction: rows, events, the answer to a key; all or nothing, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx2
import pytest

from crosstie.app import Process, opened
from crosstie.errors import Invalid
from crosstie.kit import ids
from crosstie.log import change
from crosstie.log.blank import blank
from crosstie.modules.crm.client import CLIENTS, Client
from tests.receiver import Receiver
from tests.stage import Stage, Tenant


@pytest.fixture
async def process(stage: Stage) -> AsyncIterator[Process]:
    """The parts of a process that serves nobody."""
    async with opened(stage.settings, stage.dsns, work=False, name="test") as found:
        yield found


async def events(client: httpx2.AsyncClient, **wanted: str) -> list[dict[str, Any]]:
    answer = await client.get("/api/v1/events", params={"sort": "created_at", "limit": "200"} | wanted)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


async def test_what_is_rolled_back_leaves_no_event(
    process: Process, client: httpx2.AsyncClient, tenant: Tenant, receiver: Receiver
) -> None:
    await client.post("/api/v1/webhook-endpoints", json={"url": receiver.url, "event_types": ["client.*"]})

    async def refused() -> None:
        async with process.log.unit(tenant.id) as unit:
            await change.create(unit, CLIENTS, CLIENTS.creation.decode({"name": "Nobody"}))
            await unit.flush()
            raise Invalid("no")

    with pytest.raises(Invalid):
        await refused()
    await client.post("/api/v1/clients", json={"name": "Somebody"})
    (got,) = await receiver.wait(1, "client.created")
    await asyncio.sleep(0.3)
    assert got.envelope["data"]["name"] == "Somebody"
    assert len(await events(client, event_type="client.*")) == 1


async def test_an_event_of_our_own_that_breaks_its_schema_is_never_told(
    process: Process, client: httpx2.AsyncClient, tenant: Tenant
) -> None:
    async def tell(data: dict[str, Any]) -> None:
        async with process.log.unit(tenant.id) as unit:
            unit.append("webhook_endpoint.test", data, ("webhook_endpoint", str(tenant.id)))

    with pytest.raises(RuntimeError, match="breaks its schema"):
        await tell({"webhook_endpoint_id": tenant.id, "message": 5})
    await tell({"webhook_endpoint_id": tenant.id, "message": "Told."})
    assert [each["data"]["message"] for each in await events(client, event_type="webhook_endpoint.test")] == ["Told."]


async def test_fifty_twins_have_one_effect_and_one_answer(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    async def call() -> httpx2.Response:
        async with tenant.client() as own:
            for _ in range(1200):
                answer = await own.post(
                    "/api/v1/clients", json={"name": "Once"}, headers={"idempotency-key": "the-same"}
                )
                if answer.status_code != 409:
                    return answer
                assert answer.headers["retry-after"]
                await asyncio.sleep(0.05)
        raise AssertionError("the twin never ended")

    answers = await asyncio.gather(*(call() for _ in range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert len((await client.get("/api/v1/clients")).json()["data"]) == 1
    assert len(await events(client, event_type="client.created")) == 1


async def test_sequence_rises_per_subject_under_parallel_changes(client: httpx2.AsyncClient, tenant: Tenant) -> None:
    made = (await client.post("/api/v1/clients", json={"name": "Busy"})).json()

    async def note(number: int) -> None:
        async with tenant.client() as own:
            answer = await own.patch(f"/api/v1/clients/{made['id']}", json={"notes": f"note {number}"})
            assert answer.status_code == 200, answer.text

    await asyncio.gather(*(note(number) for number in range(20)))
    found = await events(client, subject_type="client", subject_id=made["id"])
    # the log's order is that of transactions; the order of the subject is its sequence (decision record 3)
    assert sorted(event["sequence"] for event in found) == list(range(1, 22))
    by_sequence = sorted(found, key=lambda event: event["sequence"])
    now = (await client.get(f"/api/v1/clients/{made['id']}")).json()
    assert by_sequence[-1]["data"]["notes"] == now["notes"]


async def test_a_late_commit_is_not_skipped_by_a_reader(
    process: Process, client: httpx2.AsyncClient, tenant: Tenant
) -> None:
    async with process.log.unit(tenant.id) as slow:
        await change.create(slow, CLIENTS, CLIENTS.creation.decode({"name": "slow"}))
        await slow.flush()
        await client.post("/api/v1/clients", json={"name": "quick"})
        page = (await client.get("/api/v1/events", params={"sort": "created_at"})).json()
        before = [event["data"].get("name") for event in page["data"]]
        assert "slow" not in before
    names = []
    for _ in range(600):
        rest = (await client.get("/api/v1/events", params={"after": page["next_cursor"]})).json()
        names = [event["data"].get("name") for event in rest["data"]]
        if {"slow", "quick"} <= {*names, *before}:
            break
        await asyncio.sleep(0.1)
    assert sorted(name for name in (*before, *names) if name in ("slow", "quick")) == ["quick", "slow"]


async def test_personal_fields_are_blanked_everywhere_and_replayed_blank(
    process: Process, client: httpx2.AsyncClient, tenant: Tenant, receiver: Receiver
) -> None:
    mark = f"Marker {ids.random62(12)}"
    made = (await client.post("/api/v1/clients", json={"name": mark, "email": "x@example.com"})).json()
    await client.patch(f"/api/v1/clients/{made['id']}", json={"notes": mark})
    before = await events(client, subject_type="client", subject_id=made["id"])

    async with process.log.unit(tenant.id) as unit:
        row = await unit.get(Client, UUID(made["id"]), lock=True)
        await blank(unit, CLIENTS, row)

    after = await events(client, subject_type="client", subject_id=made["id"])
    assert [(e["event_id"], e["sequence"]) for e in after] == [(e["event_id"], e["sequence"]) for e in before]
    assert mark not in str(after)
    assert {e["data"]["name"] for e in after} == {None}
    assert mark not in (await client.get(f"/api/v1/clients/{made['id']}")).text
    assert (await client.get("/api/v1/clients", params={"q": mark.split()[1]})).json()["data"] == []

    endpoint = (
        await client.post("/api/v1/webhook-endpoints", json={"url": receiver.url, "event_types": ["client.*"]})
    ).json()
    path = f"/api/v1/webhook-endpoints/{endpoint['id']}/replay"
    assert (await client.post(path, json={"since": "2026-01-01T00:00:00Z"})).status_code == 202
    got = await receiver.wait(2)
    assert mark not in str([each.body for each in got])


async def test_erase_over_the_api_tells(client: httpx2.AsyncClient) -> None:
    made = (await client.post("/api/v1/clients", json={"name": "Gone Soon", "phone": "1"})).json()
    erased = await client.post(f"/api/v1/clients/{made['id']}/erase")
    assert erased.status_code == 200, erased.text
    assert erased.json()["phone"] is None
    assert len(await events(client, event_type="client.erased")) == 1
