"""Frames that nobody should send: each gets an error or a close, and everybody else hears on."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from crosstie.api.live.order import TOPICS
from crosstie.api.live.wire import SIZE
from tests.integration.live.reader import headers, reading
from tests.stage import Tenant, calling

BAD: dict[str, tuple[Any, str]] = {
    "binary": (b"\x00\x01", "unsupported_media_type"),
    "no json": ("{", "malformed_json"),
    "empty": ("", "malformed_json"),
    "a list": ("[]", "invalid"),
    "a text": ('"subscribe"', "invalid"),
    "deep": ('{"action":"subscribe","topics":' + "[" * 150 + "]" * 150 + "}", "invalid"),
    "too deep": ("[" * 20_000, "malformed_json"),
    "NUL": ('{"action":"subscribe","topics":["job.\\u0000"]}', "invalid"),
    "surrogate": ('{"action":"subscribe","topics":["\\ud800"]}', "malformed_json"),
    "twice": ('{"action":"subscribe","action":"subscribe","topics":["*"]}', "malformed_json"),
    "NaN": ('{"action":"subscribe","topics":[NaN]}', "malformed_json"),
    "huge number": ('{"action":"subscribe","topics":["*"],"after":' + "9" * 5000 + "}", "malformed_json"),
    "no action": ('{"topics":["*"]}', "invalid"),
    "unknown action": ('{"action":"drop","topics":["*"]}', "invalid"),
    "action of a kind": ('{"action":["subscribe"],"topics":["*"]}', "invalid"),
    "unknown field": ('{"action":"subscribe","topics":["*"],"tenant_id":"x"}', "invalid"),
    "no topics": ('{"action":"subscribe","topics":[]}', "invalid"),
    "topics of a kind": ('{"action":"subscribe","topics":[1,{}]}', "invalid"),
    "a topic that is none": ('{"action":"subscribe","topics":["job.*.x"]}', "invalid"),
    "a noun that is none": ('{"action":"subscribe","topics":["jobz"]}', "invalid"),
    "a subject that is none": ('{"action":"subscribe","topics":["job:"]}', "invalid"),
    "many topics": (json.dumps({"action": "subscribe", "topics": [f"job:{n}" for n in range(TOPICS + 1)]}), "invalid"),
    "a cursor of a kind": ('{"action":"subscribe","topics":["*"],"after":7}', "invalid"),
    "a long cursor": (json.dumps({"action": "subscribe", "topics": ["*"], "after": "A" * 5000}), "invalid"),
    "a cursor that is none": ('{"action":"subscribe","topics":["*"],"after":"; DROP"}', "invalid_cursor"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_frame_is_refused_and_the_connection_stays(tenant: Tenant, name: str) -> None:
    frame, code = BAD[name]
    async with reading(tenant) as reader:
        await reader.socket.send(frame)
        answer = await reader.next()
        assert answer["type"] == "error"
        assert answer["problem"]["code"] == code, answer
        assert answer["problem"]["status"] < 500
        assert (await reader.subscribe("*"))["type"] == "subscribed"


async def test_topics_are_counted_over_all_frames(tenant: Tenant) -> None:
    async with reading(tenant) as reader:
        await reader.subscribe(*(f"job:{number}" for number in range(TOPICS)))
        assert (await reader.subscribe("client.*"))["problem"]["code"] == "invalid"
        await reader.say(action="unsubscribe", topics=["job:1"])
        assert len((await reader.next())["topics"]) == TOPICS - 1
        assert (await reader.subscribe("client.*"))["type"] == "subscribed"


@pytest.mark.parametrize(
    ("opcode", "data", "code"),
    [(Opcode.TEXT, b"x" * (SIZE + 1), 1009), (Opcode.TEXT, b"\xff\xfe", 1007), (Opcode.CONT, b"x", 1002)],
    ids=["huge", "no UTF-8", "a continuation of nothing"],
)
async def test_what_is_no_frame_ends_the_connection(tenant: Tenant, opcode: Opcode, data: bytes, code: int) -> None:
    async with reading(tenant) as reader, reading(tenant) as other:
        async with reader.socket.send_context():
            reader.socket.protocol.send_frame(Frame(opcode, data))
        with pytest.raises(ConnectionClosed) as caught:
            await reader.next()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == code
        assert (await other.subscribe("*"))["type"] == "subscribed"


async def test_sockets_elsewhere_and_strangers_get_problems(tenant: Tenant) -> None:
    base = tenant.url.replace("http", "ws", 1)
    for path, shown, status in (
        ("/api/v1/stream", {}, 401),
        ("/api/v1/stream", headers("ct_live_" + "x" * 36), 401),
        ("/api/v1/jobs", headers(tenant.key), 404),
        ("/", headers(tenant.key), 404),
    ):
        with pytest.raises(InvalidStatus) as caught:
            async with connect(base + path, additional_headers=shown, proxy=None):
                pass
        response = caught.value.response
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        assert json.loads(response.body)["request_id"] == response.headers["x-request-id"]
    async with calling(tenant.url) as caller:
        answer = await caller.get("/api/v1/stream")
    assert (answer.status_code, answer.json()["code"]) == (426, "upgrade_required")


async def test_whoever_goes_at_any_moment_leaves_nothing(tenant: Tenant, client: httpx2.AsyncClient) -> None:
    """Connections dropped without a word, in the middle of what is sent."""
    for _ in range(5):
        async with reading(tenant) as reader:
            await reader.subscribe("*")
            await client.post("/api/v1/clients", json={"name": "A"})
            reader.socket.transport.abort()
    await asyncio.sleep(0)
    async with reading(tenant) as reader:
        await reader.subscribe("client.*")
        await client.post("/api/v1/clients", json={"name": "B"})
        assert (await reader.events(1))[0]["event"]["data"]["name"] == "B"
