"""The live stream while processes are killed and stopped, with readers that do not read, and with very many of them."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.faults.rig import Note, Rig, open_type
from tests.fence import fence
from tests.stage import PATIENCE, Tenant, calling

#: a busy machine may take long to start processes
pytestmark = pytest.mark.timeout(900)
LANES = 5


def address(port: int) -> str:
    return f"ws://127.0.0.1:{port}/api/v1/stream"


def options(tenant: Tenant, **more: Any) -> dict[str, Any]:
    shown = {"authorization": f"Bearer {tenant.key}"}
    return {"additional_headers": shown, "proxy": None, "open_timeout": PATIENCE, "max_queue": None, **more}


async def subscribe(socket: ClientConnection, topics: Iterable[str], after: str | None = None) -> str:
    """Subscribe; the cursor of the answer."""
    await socket.send(json.dumps({"action": "subscribe", "topics": list(topics), "after": after}))
    answer = json.loads(await socket.recv())
    assert answer["type"] == "subscribed", answer
    return str(answer["cursor"])


async def write(tenant: Tenant, url: str, names: Iterable[str], data: dict[str, Any] | None = None) -> None:
    """Events of an outsider, over the lanes in turn; each is sent until it is acknowledged."""
    type, example = open_type()
    async with calling(url, headers={"authorization": f"Bearer {tenant.key}"}) as client:
        for number, name in enumerate(names):
            subject = {"type": "lane", "id": f"l{number % LANES}"}
            event = {"event_id": name, "event_type": type, "data": example | (data or {}), "subject": subject}
            while True:
                try:
                    answer = await client.post("/api/v1/events", json=event)
                    if answer.status_code == 202:
                        break
                    assert answer.status_code >= 500, answer.text
                except httpx2.HTTPError:
                    pass
                await asyncio.sleep(0.2)


class Listener:
    """A reader that comes back with its cursor whenever it is cut off, and hears of what it waits for."""

    def __init__(self, tenant: Tenant, port: int, topic: str, wanted: set[str]) -> None:
        self.tenant = tenant
        self.port = port
        self.topic = topic
        self.wanted = wanted
        self.heard: list[str] = []
        self.cursor: str | None = None
        self.ready = asyncio.Event()
        self.breaks = 0

    async def run(self) -> None:
        """Until all that is wanted was heard."""
        while len(self.heard) < len(self.wanted):
            try:
                async with connect(address(self.port), **options(self.tenant)) as socket:
                    self.cursor = await subscribe(socket, [self.topic], self.cursor)
                    self.ready.set()
                    while len(self.heard) < len(self.wanted):
                        frame = json.loads(await socket.recv())
                        self.heard.append(frame["event"]["event_id"])
                        self.cursor = frame["cursor"]
            except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError):
                self.breaks += 1
                await asyncio.sleep(random.uniform(0.1, 1))


@pytest.mark.parametrize("count", [200, pytest.param(2000, marks=pytest.mark.proof)])
async def test_readers_of_a_killed_process_come_back_and_miss_nothing(rig: Rig, note: Note, count: int) -> None:
    """One process has them all: it is killed in the middle, and each goes on from its cursor."""
    port = rig.start("both", "both").port
    await rig.ready()
    tenant = await rig.tenant()
    names = [f"e{number}" for number in range(60)]
    type, _ = open_type()
    topics = {"*": set(names), type: set(names), "lane:l0": set(names[::LANES]), "lane:l3": set(names[3::LANES])}
    listeners = [Listener(tenant, port, topic, topics[topic]) for _ in range(count // 4) for topic in topics]
    async with asyncio.TaskGroup() as group:
        for number, each in enumerate(listeners):
            group.create_task(each.run())
            if number % 50 == 49:
                await each.ready.wait()
        for each in listeners:
            await each.ready.wait()
        resident = psutil.Process(rig.children["both"].handle.pid).memory_info().rss >> 20
        await write(tenant, rig.urls()[0], names[:30])
        await rig.crash("both")
        await write(tenant, rig.urls()[0], names)  # those of before once more: they count once
    for each in listeners:
        assert sorted(each.heard) == sorted(each.wanted), each.topic
    assert sum(each.breaks for each in listeners) >= count
    note("MB with all connected", resident)


async def test_events_of_one_process_reach_readers_of_another_and_a_stop_sends_them_on(rig: Rig) -> None:
    one, two = rig.start("api-1", "api"), rig.start("api-2", "api")
    rig.start("worker-1", "worker")
    await rig.ready()
    tenant = await rig.tenant()
    url = f"http://127.0.0.1:{one.port}"
    async with connect(address(two.port), **options(tenant)) as socket:
        await subscribe(socket, ["client.*", "lane:l0", "*"])
        await write(tenant, url, ["a"])
        assert json.loads(await socket.recv())["event"]["event_id"] == "a"
        async with calling(url, headers={"authorization": f"Bearer {tenant.key}"}) as client:
            await client.post("/api/v1/clients", json={"name": "Thandi"})
        frame = json.loads(await socket.recv())
        assert frame["event"]["event_type"] == "client.created"
        stopping = asyncio.create_task(asyncio.to_thread(rig.signal, "api-2", signal.SIGTERM))
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 1012
        await stopping
    await write(tenant, url, ["b", "c"])
    async with connect(address(one.port), **options(tenant)) as socket:
        await subscribe(socket, ["*"], frame["cursor"])
        assert [json.loads(await socket.recv())["event"]["event_id"] for _ in range(2)] == ["b", "c"]


async def test_whoever_does_not_read_costs_no_memory_and_misses_nothing(rig: Rig, note: Note) -> None:
    child = rig.start("both", "both")
    await rig.ready()
    tenant = await rig.tenant()
    type, example = open_type()
    count, size, slow = 600, 50_000, 12
    process = psutil.Process(child.handle.pid)
    async with AsyncExitStack() as stack:
        idle = [
            await stack.enter_async_context(connect(address(child.port), **options(tenant, max_queue=1)))
            for _ in range(slow)
        ]
        for socket in idle:
            await subscribe(socket, ["*"])
        before = process.memory_info().rss
        async with calling(rig.urls()[0], headers={"authorization": f"Bearer {tenant.key}"}) as client:
            for start in range(0, count, 100):
                events = [
                    {"event_id": f"e{n}", "event_type": type, "data": example | {"note": "x" * size}}
                    for n in range(start, start + 100)
                ]
                answer = await client.post("/api/v1/events/batch", json={"events": events})
                assert answer.json()["accepted"] == 100, answer.text
            await fence(client)
        async with connect(address(child.port), **options(tenant)) as quick:
            await subscribe(quick, ["*"])
            await write(tenant, rig.urls()[0], ["last"])
            assert json.loads(await quick.recv())["event"]["event_id"] == "last"
        grown = process.memory_info().rss - before >> 20
        note("MB grown", grown)
        assert grown < slow * count * size / 3 / (1 << 20)
        for socket in idle[:2]:
            heard = [json.loads(await socket.recv())["event"] for _ in range(count)]
            assert [each["event_id"] for each in heard] == [f"e{n}" for n in range(count)]
