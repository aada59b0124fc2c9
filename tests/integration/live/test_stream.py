"""The twin of the stream over HTTP, as a stock client of server-sent events reads it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import httpx2
import pytest
from httpx_sse import EventSource, ServerSentEvent, aconnect_sse

from crosstie.kit import clock, ids
from crosstie.log.read import Cursor
from tests.integration.live.reader import headers
from tests.stage import PATIENCE, Tenant

PATH = "/api/v1/events/stream"


@asynccontextmanager
async def source(tenant: Tenant, *, last: str = "", key: str | None = "", **query: Any) -> AsyncIterator[EventSource]:
    """An open stream."""
    shown = headers(key or tenant.key) if key is not None else {}
    shown |= {"last-event-id": last} if last else {}
    async with (
        httpx.AsyncClient(base_url=tenant.url, timeout=PATIENCE, verify=False) as caller,
        aconnect_sse(caller, "GET", PATH, params=query, headers=shown) as found,
    ):
        yield found


async def take(events: AsyncIterator[ServerSentEvent], count: int) -> list[ServerSentEvent]:
    return [await anext(events) for _ in range(count)]


async def test_frames_come_and_the_last_id_resumes(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    async with source(tenant, topics="client.created,sites") as found:
        assert found.response.headers["content-type"] == "text/event-stream"
        events = found.aiter_sse()
        (hello,) = await take(events, 1)
        assert json.loads(hello.data)["topics"] == ["client.created", "sites"]
        assert hello.id == json.loads(hello.data)["cursor"]
        for name in ("A", "B"):
            await client.post("/api/v1/clients", json={"name": name})
        (first,) = await take(events, 1)
        frame = json.loads(first.data)
        assert frame["type"] == "event"
        assert first.id == frame["cursor"]
        assert frame["event"]["data"]["name"] == "A"
    await client.post("/api/v1/clients", json={"name": "C"})
    async with source(tenant, topics="client.*", last=first.id, after="ignored") as found:
        heard = await take(found.aiter_sse(), 3)
        assert [json.loads(each.data)["event"]["data"]["name"] for each in heard[1:]] == ["B", "C"]
    async with source(tenant, topics="client.*", after=hello.id) as found:
        heard = await take(found.aiter_sse(), 4)
        assert [json.loads(each.data)["event"]["data"]["name"] for each in heard[1:]] == ["A", "B", "C"]


async def test_a_ticket_opens_a_stream_once(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    ticket = (await client.post("/api/v1/stream/tickets")).json()["ticket"]
    async with source(tenant, key=None, ticket=ticket) as found:
        assert json.loads((await take(found.aiter_sse(), 1))[0].data)["topics"] == ["*"]
    async with source(tenant, key=None, ticket=ticket) as found:
        assert found.response.status_code == 401


async def test_a_lost_key_ends_the_stream_with_a_word(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    made = (await client.post("/api/v1/api-keys", json={"name": "k", "scopes": ["events:read"]})).json()
    async with source(tenant, key=made["key"]) as found:
        events = found.aiter_sse()
        await take(events, 1)
        await client.post(f"/api/v1/api-keys/{made['id']}/revoke")
        said = [each async for each in events]
    assert json.loads(said[-1].data)["problem"]["code"] == "unauthorized"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"topics": "job.*.x"}, 422, "invalid"),
        ({"after": "x"}, 400, "invalid_cursor"),
        ({"topic": "*"}, 400, "unknown_parameter"),
        ({"topics": ",".join(f"job:{n}" for n in range(101))}, 400, "unknown_parameter"),
    ],
)
async def test_what_cannot_be_read_is_a_problem(
    tenant: Tenant, client: httpx2.AsyncClient, query: dict[str, str], status: int, code: str
) -> None:
    answer = await client.get(PATH, params=query)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_the_description_says_what_is_so(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()["paths"][PATH]["get"]
    async with source(tenant) as found:
        headers = found.response.headers
    assert [*described["responses"]["200"]["content"]] == [headers["content-type"]]
    for name in described["responses"]["200"]["headers"]:
        assert name in headers
    assert {"name": "ticket", "in": "query"}.items() <= (
        (await client.get("/openapi.json")).json()["components"]["securitySchemes"]["ticket"].items()
    )
    assert {"ticket": []} in described["security"]
    for name, more, status in (
        ("after", {"after": "x"}, 400),
        ("topics", {"topics": "job.*.x"}, 422),
        ("after", {"after": str(Cursor(1, 5, ids.floor(clock.now() - timedelta(days=200))))}, 410),
    ):
        assert name in [parameter["name"] for parameter in described["parameters"]]
        assert (await client.get(PATH, params=more)).status_code == status
        assert str(status) in described["responses"]
    answer = await client.get(PATH, headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


async def test_scopes_and_origins(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    made = (await client.post("/api/v1/api-keys", json={"name": "k", "scopes": ["clients:read"]})).json()
    narrow = {"authorization": f"Bearer {made['key']}"}
    answer = await client.get(PATH, params={"topics": "job.*"}, headers=narrow)
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    answer = await client.get(PATH, headers={"origin": "https://elsewhere.example"})
    assert answer.status_code == 403
