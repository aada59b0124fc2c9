"""Receivers as the world has them: what is recorded of them is true, and retries keep to the schedule."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import httpx2

from tests.faults.firm import firm, hook, job
from tests.faults.rig import Rig
from tests.parts.receiver import NO_CONTENT, Peer, receiver, reply

Script = Callable[[Peer], Awaitable[None]]
GIGABYTE = 1 << 30


class Turns:
    """Answers the first requests one way, the rest with 204; notes when each came."""

    def __init__(self, bad: Script, count: int) -> None:
        self.bad, self.left = bad, count
        self.times: list[float] = []

    async def __call__(self, peer: Peer) -> None:
        while True:
            await peer.request()
            self.times.append(asyncio.get_running_loop().time())
            if self.left > 0:
                self.left -= 1
                await self.bad(peer)
            else:
                await peer.write(NO_CONTENT)


def says(data: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.write(data)

    return script


async def drip(peer: Peer) -> None:
    await peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(100):
        await peer.write(b".")
        await asyncio.sleep(0.2)


async def silence(peer: Peer) -> None:
    await asyncio.sleep(20)


async def flood(peer: Peer) -> None:
    await peer.write(b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n" % GIGABYTE)
    for _ in range(GIGABYTE >> 20):
        await peer.write(b"x" * (1 << 20))


async def reset(peer: Peer) -> None:
    peer.reset()
    raise ConnectionError


async def reset_after(peer: Peer) -> None:
    await peer.write(NO_CONTENT)
    await asyncio.sleep(0.05)
    peer.reset()
    raise ConnectionError


#: name -> how it fails, the status and the error that are recorded
BAD: dict[str, tuple[Script, int | None, str]] = {
    "500": (says(reply("500 Oh no", body=b"because")), 500, "http_500"),
    "302": (says(reply("302 Found", "Location: http://127.0.0.1:9/")), 302, "http_302"),
    "reset": (reset, None, "reset"),
    "garbage": (says(b"SSH-2.0-OpenSSH\r\n\r\n"), None, "protocol"),
    "silent": (silence, None, "timeout"),
    "drip": (drip, 200, "timeout"),
    "flood": (flood, 500, "http_500"),
}


async def attempts(client: httpx2.AsyncClient) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The only webhook of a tenant, and its attempts; what follows from a dead letter inside Crosstie is none."""
    listed = (await client.get("/api/v1/deliveries")).json()["data"]
    (delivery,) = [each for each in listed if each["sink"] == "webhook"]
    listed = await client.get(f"/api/v1/deliveries/{delivery['id']}/attempts")
    assert listed.status_code == 200, listed.text
    return delivery, listed.json() if isinstance(listed.json(), list) else listed.json()["data"]


async def test_what_receivers_do_wrong_is_recorded_and_tried_again(served: Rig) -> None:
    await asyncio.gather(*(_misbehaving(served, *each) for each in BAD.values()))


async def _misbehaving(served: Rig, bad: Script, status: int | None, code: str) -> None:
    async with receiver(turns := Turns(bad, 2)) as seen, firm(served) as (tenant, client, client_id):
        await hook(client, seen.url(), event_types=["job.created"], retry_schedule=[1, 2, 1], timeout_seconds=1)
        await job(client, client_id)
        await served.drained([tenant])
        delivery, made = await attempts(client)
    assert (delivery["status"], delivery["attempts"]) == ("delivered", 3), code
    assert [each["number"] for each in made] == [1, 2, 3]
    for each in made[:2]:
        assert (each["response_status"], each["error"]["code"]) == (status, code)
    assert (made[2]["response_status"], made[2]["error"]) == (204, None)
    began = [datetime.fromisoformat(each["started_at"]).timestamp() for each in made]
    ended = [start + each["duration_ms"] / 1000 for start, each in zip(began, made, strict=True)]
    # less a fifth as the schedule spreads; what a busy machine adds is anybody's guess
    assert began[1] - ended[0] >= 0.8, code
    assert began[2] - ended[1] >= 1.6, code
    assert len(turns.times) == 3


async def test_nobody_at_the_door(served: Rig) -> None:
    """A receiver that is down is tried to the end of the schedule; then the event is a dead letter, whole."""
    async with receiver(says(b"")) as seen:
        url = seen.url()
    async with firm(served) as (tenant, client, client_id):
        await hook(client, url, event_types=["job.created"], retry_schedule=[1, 1])
        id = await job(client, client_id)
        await served.drained([tenant])
        delivery, made = await attempts(client)
        assert (delivery["status"], [each["error"]["code"] for each in made]) == ("dead", ["connect"] * 3)
        (letter,) = (await client.get("/api/v1/dead-letters")).json()["data"]
    assert (letter["cause"], letter["attempts"], letter["event"]["data"]["job_id"]) == ("connect", 3, id)


async def test_an_answer_counts_though_the_connection_dies_after_it(served: Rig) -> None:
    async with receiver(Turns(reset_after, 1)) as seen, firm(served) as (tenant, client, client_id):
        await hook(client, seen.url(), event_types=["job.created"], retry_schedule=[1])
        await job(client, client_id)
        await served.drained([tenant])
        delivery, made = await attempts(client)
        assert (delivery["status"], len(made), made[0]["response_status"]) == ("delivered", 1, 204)
        await asyncio.sleep(1.5)
        assert len(seen.requests) == 1


async def test_retry_after_is_obeyed(served: Rig) -> None:
    await asyncio.gather(*(_asking(served, status) for status in ("429 Too Many Requests", "503 Service Unavailable")))


async def _asking(served: Rig, status: str) -> None:
    busy = says(reply(status, "Retry-After: 4"))
    async with receiver(turns := Turns(busy, 1)) as seen, firm(served) as (tenant, client, client_id):
        await hook(client, seen.url(), event_types=["job.created"], retry_schedule=[1])
        await job(client, client_id)
        await served.drained([tenant])
        delivery, _ = await attempts(client)
    assert delivery["status"] == "delivered"
    assert turns.times[1] - turns.times[0] >= 3.9, status


async def test_410_disables_the_endpoint_and_the_rest_waits(served: Rig) -> None:
    async with receiver(Turns(says(reply("410 Gone")), 100)) as seen, firm(served) as (tenant, client, client_id):
        endpoint = await hook(client, seen.url(), event_types=["job.created"], retry_schedule=[1])
        await job(client, client_id)
        await served.drained([tenant])
        shown = (await client.get(f"/api/v1/webhook-endpoints/{endpoint}")).json()
        assert (shown["status"], shown["disabled_reason"]) == ("disabled", "the receiver answered 410 Gone")
        await job(client, client_id)
        await asyncio.sleep(1)
        assert len(seen.requests) == 1
