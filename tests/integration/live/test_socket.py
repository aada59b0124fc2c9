"""The stream as a stock WebSocket client sees it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx2

from crosstie.api.live.tail import SEED
from crosstie.kit import clock, ids
from crosstie.log.read import LAST, Cursor
from tests.fence import fence
from tests.integration.live.reader import reading
from tests.stage import Stage, Tenant


async def test_an_event_reaches_whoever_subscribed(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    async with reading(tenant) as reader:
        answer = await reader.subscribe("client.*")
        assert answer["type"] == "subscribed"
        assert answer["topics"] == ["client.*"]
        made = (await client.post("/api/v1/clients", json={"name": "Thandi"})).json()
        (frame,) = await reader.events(1)
        assert frame.keys() == {"type", "cursor", "event"}
        assert frame["event"]["event_type"] == "client.created"
        assert frame["event"]["subject"] == {"type": "client", "id": made["id"]}
        logged = (await client.get("/api/v1/events", params={"event_type": "client.created"})).json()["data"]
        assert frame["event"] == logged[0]


async def test_a_reader_that_comes_back_misses_nothing_and_hears_nothing_twice(
    tenant: Tenant, client: httpx2.AsyncClient
) -> None:
    """Under concurrent writers, with a break after every few events."""
    names = [f"Client {number}" for number in range(120)]
    waiting = iter(names)

    async def write() -> None:
        for name in waiting:
            made = await client.post("/api/v1/clients", json={"name": name})
            assert made.status_code == 201, made.text

    async with reading(tenant) as reader:
        cursor = (await reader.subscribe("client.created"))["cursor"]
    heard: list[str] = []
    writers = asyncio.gather(*(write() for _ in range(4)))
    while len(heard) < len(names):
        async with reading(tenant) as reader:
            assert (await reader.subscribe("clients", after=cursor))["cursor"] == cursor
            for frame in await reader.events(min(7, len(names) - len(heard))):
                heard.append(frame["event"]["data"]["name"])
                cursor = frame["cursor"]
    await writers
    assert len(heard) == len(set(heard))
    assert set(heard) == set(names)


async def test_memory_and_log_are_one(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    """A reader from far back passes from the log into memory without a seam."""
    count = SEED + 150
    for start in range(0, count, 50):
        items = [{"name": f"Client {number}"} for number in range(start, start + 50)]
        made = await client.post("/api/v1/clients/bulk", json={"items": items})
        assert made.status_code == 200, made.text
    await fence(client)
    async with reading(tenant) as reader:
        await reader.subscribe("client.created", after=str(Cursor()))
        heard = [frame["event"]["data"]["name"] for frame in await reader.events(count)]
        assert heard == [f"Client {number}" for number in range(count)]
        assert (await reader.events(1))[0]["event"]["data"]["name"] == "Fence"


async def test_topics_are_types_nouns_and_subjects(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    first, second = [(await client.post("/api/v1/clients", json={"name": name})).json() for name in ("A", "B")]
    async with reading(tenant) as one, reading(tenant) as noun, reading(tenant) as ending, reading(tenant) as every:
        await one.subscribe(f"client:{second['id']}")
        await noun.subscribe("sites")
        await ending.subscribe("*.updated")
        await every.subscribe("*")
        await client.patch(f"/api/v1/clients/{first['id']}", json={"name": "AA"})
        site = await client.post("/api/v1/sites", json={"client_id": first["id"], "name": "Yard", "street": "1 Main"})
        assert site.status_code == 201, site.text
        await client.patch(f"/api/v1/clients/{second['id']}", json={"name": "BB"})
        heard = [frame["event"] for frame in await every.events(3)]
        assert [each["event_type"] for each in heard] == ["client.updated", "site.created", "client.updated"]
        assert [each["event"] for each in await one.events(1)] == heard[2:]
        assert [each["event"] for each in await noun.events(1)] == heard[1:2]
        assert [each["event"] for each in await ending.events(2)] == [heard[0], heard[2]]


async def test_a_later_topic_may_begin_in_the_past(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    async with reading(tenant) as reader:
        start = (await reader.subscribe("site.created"))["cursor"]
        made = (await client.post("/api/v1/clients", json={"name": "A"})).json()
        for name in ("Yard", "Roof"):
            await client.post("/api/v1/sites", json={"client_id": made["id"], "name": name, "street": "1 Main"})
        assert [f["event"]["data"]["name"] for f in await reader.events(2)] == ["Yard", "Roof"]
        answer = await reader.subscribe("client.created", after=start)
        assert answer["topics"] == ["site.created", "client.created"]
        await client.post("/api/v1/sites", json={"client_id": made["id"], "name": "Gate", "street": "1 Main"})
        client_made, site_made = [frame["event"]["data"] for frame in await reader.events(2)]
        assert (client_made["name"], site_made["name"]) == ("A", "Gate")
        await reader.say(action="unsubscribe", topics=["site.created"])
        assert (await reader.next())["topics"] == ["client.created"]
        await client.post("/api/v1/sites", json={"client_id": made["id"], "name": "Shed", "street": "1 Main"})
        await client.post("/api/v1/clients", json={"name": "B"})
        assert [f["event"]["data"]["name"] for f in await reader.events(1)] == ["B"]


async def test_events_of_outside_systems_come_too(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    async with reading(tenant) as reader:
        await reader.subscribe("treasury.*")
        types = (await client.get("/api/v1/event-types")).json()["data"]
        example = next(each for each in types if each["name"] == "treasury.payment.processed")["example"]
        sent = {"event_id": "paid-1", "event_type": "treasury.payment.processed", "data": example["data"]}
        assert (await client.post("/api/v1/events", json=sent)).status_code == 202
        assert [frame["event"]["event_id"] for frame in await reader.events(1)] == ["paid-1"]


async def test_a_foreign_cursor_and_one_that_is_none_are_refused(tenant: Tenant, stage: Stage) -> None:
    other = await stage.tenant()
    async with other.client() as client:
        await client.post("/api/v1/clients", json={"name": "Other"})
        await fence(client)
        foreign = (await client.get("/api/v1/events", params={"sort": "created_at"})).json()["next_cursor"]
    async with tenant.client() as client, reading(tenant) as reader:
        await client.post("/api/v1/clients", json={"name": "Own"})
        await fence(client)
        for cursor in (foreign, "nonsense", str(Cursor(2**31 - 1, 1, LAST))):
            frame = await reader.subscribe("client.*", after=cursor)
            assert frame["type"] == "error"
            assert frame["problem"]["code"] == "invalid_cursor"
            assert frame["problem"]["type"] == f"{tenant.url}/docs/errors/invalid_cursor"
        old = Cursor(1, 5, ids.floor(clock.now() - timedelta(days=200)))
        assert (await reader.subscribe("client.*", after=str(old)))["problem"]["code"] == "cursor_expired"
        assert (await reader.subscribe("client.*"))["type"] == "subscribed"


async def test_tenants_hear_nothing_of_each_other(tenant: Tenant, stage: Stage) -> None:
    other = await stage.tenant()
    async with reading(tenant) as reader, reading(other) as stranger, tenant.client() as one, other.client() as two:
        await reader.subscribe("*")
        await stranger.subscribe("*", "client.*", "clients")
        made = (await one.post("/api/v1/clients", json={"name": "Ours"})).json()
        assert (await stranger.subscribe(f"client:{made['id']}"))["type"] == "subscribed"
        await one.patch(f"/api/v1/clients/{made['id']}", json={"name": "Still ours"})
        await reader.events(2)
        await two.post("/api/v1/clients", json={"name": "Theirs"})
        assert [frame["event"]["data"]["name"] for frame in await stranger.events(1)] == ["Theirs"]
