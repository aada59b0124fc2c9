"""Events come in from brokers: once each, of the tenant they name, or kept with the reason why not."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from crosstie.catalog import catalogue
from tests.integration.broker.conftest import Hub
from tests.integration.broker.peer import Peer, of, polled
from tests.stage import PATIENCE, Tenant

#: a type that outsiders may send
KIND = catalogue().events["erp.expense.created"]


def envelope(tenant: Tenant, **changes: Any) -> dict[str, Any]:
    found = {"event_id": uuid4().hex, "event_type": KIND.name, "tenant_id": str(tenant.id), "data": KIND.example}
    return found | {"timestamp": "2026-03-01T10:00:00Z"} | changes


async def log(client: httpx2.AsyncClient, count: int, **query: str) -> list[dict[str, Any]]:
    """The events of the log, once there are so many."""
    return await polled(client, "/api/v1/events", count, **{"sort": "created_at", "event_type": KIND.name} | query)


async def made(tenant: Tenant) -> int:
    """How many events a tenant has by now."""
    async with tenant.client() as client:
        return len((await client.get("/api/v1/events")).json()["data"])


async def test_an_event_counts_once_and_goes_on_to_everybody(hub: Hub, peer: Peer) -> None:
    tenant = await hub.stage.tenant()
    before = await made(tenant)
    document = envelope(tenant)
    body = json.dumps(document).encode()
    for _ in range(20):
        await peer.send(document["event_type"], body)
    last = envelope(tenant)
    await peer.send(last["event_type"], json.dumps(last).encode())
    heard = [each for each in await of(peer, tenant, before + 2) if each.topic == KIND.name]
    assert [message.event["event_id"] for message in heard] == [document["event_id"], last["event_id"]]
    assert heard[0].event["data"] == document["data"]
    assert heard[0].event["actor"]["type"] == "broker"
    async with tenant.client() as client:
        found = await log(client, 2)
    assert [event["event_id"] for event in found] == [document["event_id"], last["event_id"]]


async def test_dialects_of_partners_are_understood(hub: Hub, peer: Peer) -> None:
    tenant = await hub.stage.tenant()
    name, example = KIND.name, KIND.example
    aggregate, _, bare = name.partition(".")
    outbox = {
        "id": str(uuid4()), "aggregate_type": aggregate, "event_type": bare, "tenant_id": str(tenant.id),
        "payload": example, "version": "1.0",
    }  # fmt: skip
    cloud = {
        "specversion": "1.0", "id": uuid4().hex, "source": "/erp", "type": name, "tenantid": str(tenant.id),
        "data": example,
    }  # fmt: skip
    for document in (outbox, cloud):
        await peer.send(name, json.dumps(document).encode())
    async with tenant.client() as client:
        found = await log(client, 2)
    assert {event["event_id"] for event in found} == {outbox["id"], cloud["id"]}
    assert {event["event_type"] for event in found} == {name}


@pytest.mark.parametrize("theirs", [False, True])
async def test_an_unknown_type_is_parked_until_it_is_registered(hub: Hub, peer: Peer, theirs: bool) -> None:
    tenant = await hub.stage.tenant()
    document = envelope(tenant, event_type="acme.meter.read", data={"meter": "M-1"})
    if theirs:
        document["id"], document["payload"] = document.pop("event_id"), document.pop("data")
        document |= {"aggregate_type": "acme", "event_type": "meter.read"}
    await peer.send("acme.meter.read", json.dumps(document).encode())
    async with tenant.client() as client:
        (letter,) = await polled(client, "/api/v1/dead-letters", 1)
        assert (letter["status"], letter["cause"]) == ("parked", "event_type_unknown")
        assert (letter["event"], letter["event_type"]) == (document, "acme.meter.read")
        given = {"name": "acme.meter.read", "summary": "A meter.", "data_schema": {"type": "object"}}
        assert (await client.post("/api/v1/event-types", json=given)).status_code == 201
        (event,) = await log(client, 1, event_type="acme.meter.read")
        assert event["data"] == {"meter": "M-1"}
        end = asyncio.get_running_loop().time() + PATIENCE
        while (await client.get("/api/v1/dead-letters")).json()["data"]:
            assert asyncio.get_running_loop().time() < end
            await asyncio.sleep(0.05)


async def test_poison_is_a_dead_letter_with_its_cause_and_stops_nobody(hub: Hub, peer: Peer) -> None:
    tenant = await hub.stage.tenant()
    good, taken = envelope(tenant), envelope(tenant)
    bad = [
        envelope(tenant, data={"no": "schema"}),
        envelope(tenant, event_type="job.created"),
        envelope(tenant, event_id="not an id"),
        taken | {"correlation_id": "another"},
    ]
    for document in (taken, *bad, *bad, good):
        await peer.send(document["event_type"], json.dumps(document).encode())
    async with tenant.client() as client:
        assert [event["event_id"] for event in await log(client, 2, event_type=good["event_type"])] == [
            taken["event_id"], good["event_id"],
        ]  # fmt: skip
        letters = await polled(client, "/api/v1/dead-letters", 4)
        assert sorted(letter["cause"] for letter in letters) == [
            "event_id_conflict", "event_type_reserved", "invalid", "invalid",
        ]  # fmt: skip
        assert {letter["status"] for letter in letters} == {"dead"}
        assert all(letter["detail"] for letter in letters)
        groups = (await client.get("/api/v1/dead-letters/groups")).json()["data"]
        assert sum(group["count"] for group in groups) == 4
        path = f"/api/v1/dead-letters/{letters[0]['id']}"
        answer = await client.post(f"{path}/retry")
        assert answer.json() == {"delivery_id": None}
        again = await polled(client, "/api/v1/dead-letters", 4, status="dead")
        assert next(letter for letter in again if letter["id"] == letters[0]["id"])["attempts"] == 2
        for nothing in ({}, {"reason": ""}, {"reason": " "}, {"reason": None}):
            refused = await client.post(f"{path}/discard", json=nothing)
            assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/reason"), nothing
        assert (await client.post(f"{path}/discard", json={"reason": "sent by hand"})).status_code == 200
        told = await log(client, 1, event_type="dead_letter.discarded")
        assert told[0]["data"]["reason"] == "sent by hand"
        assert len(await log(client, 4, event_type="dead_letter.created")) >= 4


async def test_what_names_no_tenant_of_the_broker_stays_on_the_broker(hub: Hub, peer: Peer) -> None:
    tenant = await hub.stage.tenant()
    nobody = envelope(tenant, tenant_id=str(uuid4()))
    await peer.send("x", json.dumps(nobody).encode())
    await peer.send("x", b"not json")
    causes = [(await peer.dead()).headers["Crosstie-Cause"] for _ in range(2)]
    assert sorted(causes) == ["malformed_json", "tenant_unknown"]


async def test_what_left_here_does_not_come_back(hub: Hub, peer: Peer) -> None:
    tenant = await hub.stage.tenant()
    document, last = envelope(tenant), envelope(tenant)
    await peer.send("x", json.dumps(document).encode(), {"Crosstie-Origin": hub.stage.settings.public_url})
    await peer.send("x", json.dumps(last).encode())
    async with tenant.client() as client:
        assert [event["event_id"] for event in await log(client, 1)] == [last["event_id"]]


async def asked(hub: Hub, query: str, *arguments: Any) -> list[str]:
    """One column of some rows, past row-level security."""
    connection = await hub.stage.superuser()
    try:
        return [row[0] for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


async def logged(hub: Hub, tenant: Tenant, *wanted: str) -> None:
    """Return when the log has these event ids from a broker."""
    end = asyncio.get_running_loop().time() + PATIENCE
    query = "SELECT event_id FROM events WHERE tenant_id = $1 AND actor_type = 'broker' ORDER BY event_id"
    while (found := await asked(hub, query, tenant.id)) != sorted(wanted):
        assert asyncio.get_running_loop().time() < end, found
        await asyncio.sleep(0.05)


async def test_a_suspended_tenants_events_wait_but_for_the_directorys_word(hub: Hub, peer: Peer) -> None:
    tenant = await hub.stage.tenant()
    await asked(hub, "UPDATE tenants SET status = 'suspended' WHERE id = $1 RETURNING slug", tenant.id)
    data = {"tenant_id": str(tenant.id), "status": "active"}
    waits, told = envelope(tenant), envelope(tenant, event_type="auth.tenant.updated", data=data)
    for document in (waits, told):
        await peer.send(document["event_type"], json.dumps(document).encode())
    await logged(hub, tenant, told["event_id"])
    letters = "SELECT cause FROM dead_letters WHERE tenant_id = $1 AND status = 'parked'"
    assert await asked(hub, letters, tenant.id) == ["tenant_suspended"]
    await asked(hub, "UPDATE tenants SET status = 'active' WHERE id = $1 RETURNING slug", tenant.id)
    await logged(hub, tenant, told["event_id"], waits["event_id"])


async def test_a_letter_is_tried_again_with_the_rights_of_its_broker(hub: Hub) -> None:
    """A broker of all tenants may tell of another than the one that its envelope names."""
    named, about = await hub.stage.tenant(), await hub.stage.tenant()
    document = envelope(named, event_type="auth.tenant.updated", data={"tenant_id": str(about.id), "name": "Nile"})
    await asked(
        hub,
        "INSERT INTO dead_letters (tenant_id, id, source, event, event_type, cause, attempts, first_at, last_at,"
        " status, due_at, digest) VALUES ($1, gen_random_uuid(), $2, $3, 'auth.tenant.updated',"
        " 'event_type_unknown', 1, now(), now(), 'parked', now(), 'x') RETURNING cause",
        named.id,
        f"broker:{hub.nats}",
        json.dumps(document),
    )
    await logged(hub, about, document["event_id"])
    await logged(hub, named)
