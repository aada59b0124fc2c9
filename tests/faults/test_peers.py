"""Two APIs and two workers over one database are one installation: limits, order, fences and goodbyes hold."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter

import pytest
from aiohttp import web

from tests.faults.firm import firm, hook, job
from tests.faults.rig import Rig, open_type
from tests.receiver import Received, Receiver
from tests.stage import calling

#: a busy machine may take long to start processes
pytestmark = pytest.mark.timeout(600)
#: seconds, less than an attempt may take
HOLD = 20.0


async def pair(rig: Rig) -> None:
    """Two APIs, two workers; each worker knows of the other."""
    for name, role in (("api-1", "api"), ("api-2", "api"), ("worker-1", "worker"), ("worker-2", "worker")):
        rig.start(name, role)  # type: ignore[arg-type]
    await rig.ready()
    alive = "SELECT count(*) = 2 FROM workers WHERE seen_at > "
    await rig.until(f"{alive} now() - interval '20 seconds'")
    await rig.until(f"{alive} $1", await rig.ask("SELECT clock_timestamp()"))  # a beat later both count both


async def events(client: object, count: int, lanes: int) -> None:
    """So many events of an outsider, over so many subjects in turn."""
    name, example = open_type()
    made = [
        {"event_id": f"e{n}", "event_type": name, "data": example, "subject": {"type": "lane", "id": f"l{n % lanes}"}}
        for n in range(count)
    ]
    for start in range(0, count, 500):
        answer = await client.post("/api/v1/events/batch", json={"events": made[start : start + 500]})  # type: ignore[attr-defined]
        assert answer.json()["accepted"] == len(made[start : start + 500]), answer.text


class Watch:
    """An answer that takes its time, and how many were given at once. On a path that is to be `full` with so many the
    first are held until so many are there, or for HOLD seconds."""

    def __init__(self, seconds: float, **full: int) -> None:
        self.seconds = seconds
        self.full = full
        self.under_way: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.times: dict[str, list[float]] = {}

    async def __call__(self, got: Received) -> web.Response:
        self.times.setdefault(got.path, []).append(time.monotonic())
        self.under_way[got.path] += 1
        self.most[got.path] = max(self.most[got.path], self.under_way[got.path])
        await self._full(got.path.removeprefix("/"))
        await asyncio.sleep(self.seconds)
        self.under_way[got.path] -= 1
        return web.Response(status=204)

    async def _full(self, name: str) -> None:
        end = time.monotonic() + HOLD
        while name in self.full and time.monotonic() < end:
            if self.most[f"/{name}"] >= self.full[name]:
                await asyncio.sleep(0.5)  # for one too many to come
                break
            await asyncio.sleep(0.02)
        self.full.pop(name, None)


async def test_limits_and_order_hold_for_the_installation(rig: Rig, receiver: Receiver) -> None:
    await pair(rig)
    receiver.answer = watch = Watch(0.05, narrow=5)
    async with firm(rig) as (tenant, client, _):
        types = [open_type()[0]]
        await hook(client, f"{receiver.url}/narrow", event_types=types, max_in_flight=5, timeout_seconds=30)
        await hook(client, f"{receiver.url}/single", event_types=types, max_in_flight=1)
        await hook(client, f"{receiver.url}/ordered", event_types=types, ordering="subject")
        limit = {"requests": 15, "seconds": 1}
        await hook(client, f"{receiver.url}/limited", event_types=types, rate_limit=limit)
        began = time.monotonic()
        await events(client, 60, lanes=6)
        await rig.drained([tenant])
    paths = {path: [got for got in receiver.got if got.path == path] for path in watch.times}
    every = ("/narrow", "/single", "/ordered", "/limited")
    assert {path: len({got.envelope["event_id"] for got in paths[path]}) for path in every} == dict.fromkeys(every, 60)
    assert len(receiver.got) == 4 * 60, "something was sent twice"
    assert watch.most["/narrow"] == 5, "the shares of both, and not more"
    assert watch.most["/single"] == 1
    # however late a busy machine makes them: none is taken before the spans of those before it are over
    early = [n for n, at in enumerate(sorted(watch.times["/limited"])) if at - began < n // 15 * 0.99]
    assert not early
    lanes: dict[str, list[int]] = {}
    for got in paths["/ordered"]:
        lanes.setdefault(got.envelope["subject"]["id"], []).append(got.envelope["sequence"])
    assert all(seen == sorted(seen) for seen in lanes.values()), lanes
    assert {len(seen) for seen in lanes.values()} == {10}


async def test_a_drained_process_leaves_nothing_to_be_sent_twice(rig: Rig, receiver: Receiver) -> None:
    """SIGTERM of a worker and of API and worker in one, under load."""
    rig.start("both", "both")
    rig.start("worker", "worker")
    await rig.ready()
    receiver.answer = watch = Watch(0.3)
    async with firm(rig) as (tenant, client, client_id):
        await hook(client, receiver.url, event_types=["job.created"])
        await hook(client, f"{receiver.url}/ordered", event_types=["job.created"], ordering="subject")
        rig.start("api", "api")
        await rig.ready("api")
        stop = asyncio.Event()
        making = asyncio.create_task(_jobs(rig, client.headers["authorization"], client_id, stop))
        for name in ("worker", "both"):
            await asyncio.sleep(1.5)
            child = await asyncio.to_thread(rig.signal, name, signal.SIGTERM)
            assert child.handle.returncode == 0, rig.last_words()
            rig.start(child.name, child.role, child.port)
            await rig.ready()
        stop.set()
        await making
        await rig.drained([tenant])
        jobs = await rig.ask("SELECT count(*) FROM jobs WHERE tenant_id = $1", tenant.id)
    got = Counter((got.path, got.envelope["data"]["job_id"]) for got in receiver.got)
    assert set(got.values()) == {1}
    assert len(got) == 2 * jobs
    assert watch.most


async def _jobs(rig: Rig, authorization: str, client_id: str, stop: asyncio.Event) -> None:
    url = f"http://127.0.0.1:{rig.children['api'].port}"
    async with calling(url, headers={"authorization": authorization}) as client:
        while not stop.is_set():
            await asyncio.gather(*(job(client, client_id) for _ in range(4)))
            await asyncio.sleep(0.1)


@pytest.mark.proof
async def test_a_frozen_worker_writes_no_result_and_sends_nothing_it_lost(rig: Rig, receiver: Receiver) -> None:
    """Frozen for longer than its leases last; then it thaws beside the worker that took over."""
    rig.start("api", "api")
    rig.start("frozen", "worker")
    await rig.ready()
    receiver.answer = Watch(1.0)
    async with firm(rig) as (tenant, client, client_id):
        await hook(client, receiver.url, event_types=["job.created"], max_in_flight=4)
        for _ in range(12):
            await job(client, client_id)
        await receiver.wait(4)
        rig.signal("frozen", signal.SIGSTOP)  # four are under way, four wait in its memory
        rig.start("worker", "worker")
        await asyncio.sleep(26)
        await rig.drained([tenant])
        before = len(receiver.got)
        rows = "SELECT count(*) FROM attempts WHERE tenant_id = $1"
        noted = await rig.ask(rows, tenant.id)
        rig.signal("frozen", signal.SIGCONT)
        await asyncio.sleep(6)
        assert await rig.ask(rows, tenant.id) == noted
        assert len(receiver.got) == before
        got = Counter(got.envelope["data"]["job_id"] for got in receiver.got)
        assert len(got) == 12
        assert sum(count - 1 for count in got.values()) <= 4, "only what was under way may come twice"
        await job(client, client_id)
        await receiver.wait(before + 1)
