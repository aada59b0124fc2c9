"""How many may be connected, what somebody hears who is one too many, and what an operator sees of all that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from crosstie.api.live.socket import PATIENCE
from crosstie.api.live.wire import PING, PONG
from tests.fence import until
from tests.integration.live.reader import reading
from tests.integration.live.test_rights import closing, key
from tests.integration.live.test_stream import source, take
from tests.integration.watch.test_metrics import scraped, total
from tests.stage import Stage, Tenant, calling, staged

#: connections of a process, a tenant and a credential; frames of a credential in a minute
PROCESS, TENANT, CREDENTIAL, FRAMES = 5, 4, 2, 200
AWAY = "crosstie_live_sent_away_total"


@pytest.fixture(scope="module")
def narrow() -> Iterator[Stage]:
    """An installation with little room."""
    with staged(
        stream_connections=PROCESS,
        stream_connections_tenant=TENANT,
        stream_connections_credential=CREDENTIAL,
        rate_limit=FRAMES,
    ) as found:
        yield found


@asynccontextmanager
async def connected(tenant: Tenant, key: str, wire: str) -> AsyncIterator[None]:
    """A live connection, which hears of everything."""
    if wire == "websocket":
        async with reading(tenant, key) as reader:
            assert (await reader.subscribe("*"))["type"] == "subscribed"
            yield
    else:
        async with source(tenant, key=key) as found:
            events = found.aiter_sse()  # the stream is closed with it
            await take(events, 1)
            yield


async def refused(tenant: Tenant, key: str, wire: str) -> str:
    """What somebody is told who is one too many."""
    if wire == "websocket":
        with pytest.raises(InvalidStatus) as caught:
            async with reading(tenant, key):
                pass
        answer = caught.value.response
        status, headers, body = answer.status_code, dict(answer.headers), answer.body
    else:
        async with source(tenant, key=key) as found:
            body = await found.response.aread()
        status, headers = found.response.status_code, dict(found.response.headers)
    assert status == 429
    assert headers["content-type"] == "application/problem+json"
    assert headers["retry-after"] == "30"
    problem = json.loads(body)
    assert problem["code"] == "too_many_requests"
    return str(problem["detail"])


@pytest.mark.parametrize("wire", ["websocket", "sse"])
async def test_connections_are_limited_for_a_credential_a_tenant_and_a_process(narrow: Stage, wire: str) -> None:
    tenant, other = await narrow.tenant(), await narrow.tenant()
    async with tenant.client() as client, AsyncExitStack() as stack:
        second, third = [(await key(client, "events:read"))["key"] for _ in range(2)]
        before = await scraped(client)
        for wires in ("websocket", "sse"):
            await stack.enter_async_context(connected(tenant, tenant.key, wires))
        assert await refused(tenant, tenant.key, wire) == f"At most {CREDENTIAL} live connections at once."
        await stack.enter_async_context(connected(tenant, second, wire))
        async with connected(tenant, second, wire):
            assert await refused(tenant, third, wire) == f"At most {TENANT} live connections at once."
            async with connected(other, other.key, wire):
                assert await refused(other, other.key, wire) == f"At most {PROCESS} live connections at once."
                after = await scraped(client)
        name = "crosstie_live_connections"
        assert total(after, name) - total(before, name) == PROCESS
        assert total(after, name, wire=wire) - total(before, name, wire=wire) == PROCESS - 1
        reason = {"wire": wire, "reason": "limit"}
        assert total(after, AWAY, **reason) - total(before, AWAY, **reason) == 3

        async def room() -> bool:
            """Whoever has gone is counted no more."""
            return total(await scraped(client), name) - total(before, name) == PROCESS - 2

        await until(room)
        async with connected(tenant, third, wire):
            pass


async def test_whoever_floods_is_told_and_sent_away(narrow: Stage) -> None:
    tenant = await narrow.tenant()
    async with tenant.client() as client, calling(narrow.url) as anybody:
        flooding = (await key(client, "events:read"))["key"]
        before = await scraped(anybody)
        async with reading(tenant, flooding) as reader, reading(tenant) as other:
            said = []
            with suppress(ConnectionClosed):
                while True:
                    await reader.say(action="unsubscribe", topics=["job.*"])
                    said.append(await reader.next())
            assert reader.socket.close_code == 4429
            assert reader.socket.close_reason == "too_many_requests"
            problems = [frame["problem"] for frame in said if frame["type"] == "error"]
            assert {problem["status"] for problem in problems} == {429}
            assert PATIENCE <= len(problems) <= 2 * PATIENCE  # a new minute may begin in between
            assert len(said) - len(problems) >= FRAMES - 1  # the connection itself counts as one
            assert (await other.subscribe("*"))["type"] == "subscribed"  # another credential has frames of its own
        after = await scraped(anybody)
        reason = {"wire": "websocket", "reason": "too_many_requests"}
        assert total(after, AWAY, **reason) - total(before, AWAY, **reason) == 1


async def test_whoever_answers_no_ping_is_given_up(stage: Stage, tenant: Tenant, client: httpx2.AsyncClient) -> None:
    reason = {"wire": "websocket", "reason": "silent"}
    before = total(await scraped(client), AWAY, **reason)
    async with reading(tenant, ping_interval=None) as reader:
        await reader.subscribe("*")
        reader.socket.transport.pause_reading()
        await asyncio.sleep(PING + PONG)  # for so long nothing can have happened

        async def counted() -> bool:
            return total(await scraped(client), AWAY, **reason) == before + 1

        await until(counted, 120)
        reader.socket.transport.resume_reading()
        assert await closing(reader) == ([], 1011)


async def test_frames_and_those_sent_away_are_counted(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    before = await scraped(client)
    readers = [await key(client, "events:read") for _ in range(2)]
    async with reading(tenant, readers[0]["key"]) as reader, source(tenant, key=readers[1]["key"]) as found:
        await reader.subscribe("client.*")
        events = found.aiter_sse()
        await take(events, 1)
        await client.post("/api/v1/clients", json={"name": "A"})
        await reader.events(1)
        await take(events, 1)
        for made in readers:
            await client.post(f"/api/v1/api-keys/{made['id']}/revoke")
        await closing(reader)
        assert json.loads([each async for each in events][-1].data)["type"] == "error"

    async def counted() -> bool:
        after = await scraped(client)
        return all(
            total(after, AWAY, wire=wire, reason="unauthorized")
            == total(before, AWAY, wire=wire, reason="unauthorized") + 1
            for wire in ("websocket", "sse")
        )

    await until(counted)
    after, name = await scraped(client), "crosstie_live_frames_total"
    for wire in ("websocket", "sse"):  # an answer, an event and the last word; more events on the wider stream
        assert total(after, name, wire=wire) - total(before, name, wire=wire) >= 3
