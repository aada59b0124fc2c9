"""Who may hear what, and how soon he may no more."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from crosstie.access import tenant as tenants
from crosstie.api.live.client import LAST
from crosstie.api.live.hub import SWEEP
from crosstie.app import opened
from tests.fence import fence, until
from tests.integration.live.reader import Reader, reading
from tests.stage import Stage, Tenant, calling


async def key(client: httpx2.AsyncClient, *scopes: str) -> dict[str, Any]:
    answer = await client.post("/api/v1/api-keys", json={"name": "a reader", "scopes": list(scopes)})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def closing(reader: Reader) -> tuple[list[dict[str, Any]], int]:
    """What is said until the connection is closed, and the code."""
    said: list[dict[str, Any]] = []
    with suppress(ConnectionClosed):
        while True:
            said.append(await reader.next())
    assert reader.socket.close_code is not None
    return said, reader.socket.close_code


async def test_a_topic_beyond_the_scopes_is_an_error(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    narrow = await key(client, "clients:read")
    async with reading(tenant, narrow["key"]) as reader:
        for topic in ("*", "*.created", "job.*", "jobs", "job:1", "treasury.*", "audit_entry.*", "acme.meter.read"):
            frame = await reader.subscribe(topic)
            assert (frame["type"], frame["topic"]) == ("error", topic)
            assert frame["problem"]["code"] == "insufficient_scope", frame
        await reader.say(action="subscribe", topics=["site.created", "client.created"], after=None)
        assert (await reader.next())["topic"] == "site.created"
        assert (await reader.next())["topics"] == ["client.created"]
        made = (await client.post("/api/v1/clients", json={"name": "Thandi"})).json()
        (frame,) = await reader.events(1)
        assert frame["event"]["data"]["client_id"] == made["id"]
    denied = (await client.get("/api/v1/audit-entries", params={"action": "stream.subscribe"})).json()["data"]
    assert {entry["outcome"] for entry in denied} == {"denied"}


async def test_a_subject_shows_only_the_types_that_may_be_read(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    """Anybody may send an event about a client; it is no client's event, and the scope of clients does not read it."""
    narrow = await key(client, "clients:read")
    made = (await client.post("/api/v1/clients", json={"name": "A"})).json()
    registered = {"name": "acme.client.rated", "summary": "A rating.", "data_schema": {"type": "object"}}
    assert (await client.post("/api/v1/event-types", json=registered)).status_code == 201
    await fence(client)
    async with reading(tenant, narrow["key"]) as reader, reading(tenant) as wide:
        for each in (reader, wide):
            await each.subscribe(f"client:{made['id']}")
        about = {"type": "client", "id": made["id"]}
        sent = {"event_id": "r1", "event_type": "acme.client.rated", "data": {}, "subject": about}
        answer = await client.post("/api/v1/events", json=sent)
        assert answer.status_code == 202, answer.text
        await client.patch(f"/api/v1/clients/{made['id']}", json={"name": "B"})
        types = [frame["event"]["event_type"] for frame in await wide.events(2)]
        assert types == ["acme.client.rated", "client.updated"]
        assert [frame["event"]["event_type"] for frame in await reader.events(1)] == ["client.updated"]


async def test_a_revoked_key_is_sent_away(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    made = await key(client, "events:read")
    async with reading(tenant, made["key"]) as reader:
        await reader.subscribe("*")
        await client.post(f"/api/v1/api-keys/{made['id']}/revoke")
        said, code = await closing(reader)
        assert said[-1]["type"] == "error"
        assert said[-1]["problem"]["code"] == "unauthorized"
        assert code == 4401
    with pytest.raises(InvalidStatus) as caught:
        async with reading(tenant, made["key"]):
            pass
    assert caught.value.response.status_code == 401


async def test_a_key_with_fewer_scopes_loses_topics(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    made = await key(client, "clients:read", "sites:read")
    async with reading(tenant, made["key"]) as reader:
        await reader.subscribe("client.*", "sites")
        await client.patch(f"/api/v1/api-keys/{made['id']}", json={"scopes": ["clients:read"]})
        frame = await reader.next()
        assert (frame["type"], frame["topic"]) == ("error", "sites")
        assert frame["problem"]["code"] == "insufficient_scope"
        created = (await client.post("/api/v1/clients", json={"name": "A"})).json()
        site = {"client_id": created["id"], "name": "Yard", "street": "1 Main"}
        assert (await client.post("/api/v1/sites", json=site)).status_code == 201
        await client.patch(f"/api/v1/clients/{created['id']}", json={"name": "B"})
        types = [frame["event"]["event_type"] for frame in await reader.events(2)]
        assert types == ["client.created", "client.updated"]


async def test_a_suspended_tenant_is_sent_away(stage: Stage, tenant: Tenant) -> None:
    async with reading(tenant) as reader, opened(stage.settings, stage.dsns, work=False, name="test") as process:
        await reader.subscribe("*")
        await tenants.set_status(process.log.app, process.vault, tenant.id, "suspended")
        said, code = await closing(reader)
        assert said[-1]["problem"]["code"] == "tenant_suspended"
        assert code == 4403


async def test_only_pages_of_allowed_origins_connect(tenant: Tenant) -> None:
    async with reading(tenant, origin=tenant.url) as reader:
        assert (await reader.subscribe("*"))["type"] == "subscribed"
    with pytest.raises(InvalidStatus) as caught:
        async with reading(tenant, origin="https://elsewhere.example"):
            pass
    assert caught.value.response.status_code == 403
    assert b'"code":"forbidden"' in caught.value.response.body


async def test_a_browser_comes_in_by_a_protocol_or_a_ticket(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    protocols = ["crosstie.v1", f"bearer.{tenant.key}"]
    async with reading(tenant, subprotocols=protocols) as reader:
        assert reader.socket.subprotocol == "crosstie.v1"
        assert (await reader.subscribe("*"))["type"] == "subscribed"
    narrow = await key(client, "clients:read")
    auth = {"authorization": f"Bearer {narrow['key']}"}
    answer = await client.post("/api/v1/stream/tickets", headers=auth)
    assert answer.status_code == 201
    ticket = answer.json()["ticket"]
    assert narrow["key"] not in ticket
    async with reading(tenant, query=f"?ticket={ticket}") as reader:
        assert (await reader.subscribe("*"))["problem"]["code"] == "insufficient_scope"
        assert (await reader.subscribe("client.*"))["type"] == "subscribed"
        await client.post(f"/api/v1/api-keys/{narrow['id']}/revoke")
        assert (await closing(reader))[1] == 4401
    fresh = (await client.post("/api/v1/stream/tickets")).json()["ticket"]
    async with reading(tenant, subprotocols=["crosstie.v1", f"ticket.{fresh}"]) as reader:
        assert (await reader.subscribe("*"))["type"] == "subscribed"
    for used in (ticket, fresh, fresh[:-3] + "abc", "x", "%00"):
        with pytest.raises(InvalidStatus) as caught:
            async with reading(tenant, query=f"?ticket={used}"):
                pass
        assert caught.value.response.status_code == 401


async def test_a_ticket_is_over_in_a_moment(
    tenant: Tenant, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crosstie.access.ticket.LIFE", timedelta(seconds=-1))
    late = (await client.post("/api/v1/stream/tickets")).json()["ticket"]
    with pytest.raises(InvalidStatus) as caught:
        async with reading(tenant, query=f"?ticket={late}"):
            pass
    assert caught.value.response.status_code == 401


async def test_whoever_does_not_read_hears_no_more_once_he_may_not(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    """What waited for him while his key was revoked does not reach him afterwards."""
    made = await key(client, "events:read")
    async with reading(tenant, made["key"], max_queue=1) as reader:
        await reader.subscribe("client.*")
        items = [{"name": "x" * 200, "notes": "y" * 4000} for _ in range(1000)]
        for _ in range(6):
            answer = await client.post("/api/v1/clients/bulk", json={"items": items})
            assert answer.status_code == 200, answer.text
        await client.post(f"/api/v1/api-keys/{made['id']}/revoke")
        await becomes(tenant, made["key"])
        await asyncio.sleep(2 * SWEEP + 2 * LAST)
        heard = [await reader.next() for _ in range(3)]
        with suppress(ConnectionClosed):
            while True:
                heard.append(await reader.next())
        assert len(heard) < 6000
        assert reader.socket.close_code == 1006  # cut off: the last word was not read either


async def becomes(tenant: Tenant, token: str) -> None:
    """Return once a key is refused."""

    async def refused() -> bool:
        async with calling(tenant.url, headers={"x-api-key": token}) as caller:
            return (await caller.get("/api/v1/events")).status_code == 401

    await until(refused)
