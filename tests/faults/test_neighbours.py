"""Nobody pays for his neighbour: neither for dead endpoints nor for a long queue."""

from __future__ import annotations

import asyncio
import time
from statistics import quantiles

import httpx2
import pytest
from aiohttp import web

from tests.faults.firm import firm, hook, job
from tests.faults.rig import Note, Rig, open_type
from tests.receiver import Received, Receiver

#: a healthy endpoint may take so many times as long while others are dead, and this many seconds, on a busy machine
RATIO, MARGIN = 2.0, 0.1

#: a busy machine may take long to start processes
pytestmark = pytest.mark.timeout(240)


class Clocked:
    """Events at a fixed pace, and how long after their planned time each path heard of them."""

    def __init__(self) -> None:
        self.planned: dict[str, float] = {}
        self.heard: list[tuple[str, str, float]] = []

    def note(self, got: Received) -> None:
        self.heard.append((got.path, got.envelope["event_id"], time.monotonic()))

    async def send(self, client: httpx2.AsyncClient, phase: str, count: int, pace: float) -> None:
        """Open loop: the next is sent when its time has come, whatever became of the one before."""
        name, example = open_type()
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                id = f"{phase}-{number}"
                self.planned[id] = began + number * pace
                await asyncio.sleep(max(0.0, self.planned[id] - time.monotonic()))
                subject = {"type": "lane", "id": id}
                event = {"event_id": id, "event_type": name, "data": example, "subject": subject}
                group.create_task(client.post("/api/v1/events", json=event))

    async def complete(self, phase: str, paths: list[str], seconds: float = 30) -> None:
        """Return when every event of a phase was heard of on every path."""
        wanted = {(path, id) for path in paths for id in self.planned if id.startswith(phase)}
        for _ in range(int(seconds * 20)):
            if wanted <= {(path, id) for path, id, _ in self.heard}:
                return
            await asyncio.sleep(0.05)
        missing = wanted - {(path, id) for path, id, _ in self.heard}
        raise TimeoutError(f"{len(missing)} of {len(wanted)} were not heard of: {sorted(missing)[:5]}")

    def lag(self, phases: str, paths: list[str], percent: int) -> float:
        """Seconds from the planned time to the first hearing: this percentile, over phases named by their letter."""
        first: dict[tuple[str, str], float] = {}
        for path, id, at in self.heard:
            if path in paths and id[0] in phases:
                first.setdefault((path, id), at - self.planned[id])
        return quantiles(first.values(), n=100)[percent - 1]


async def test_dead_endpoints_do_not_slow_the_healthy_ones(served: Rig, receiver: Receiver, note: Note) -> None:
    """One endpoint in five drips or is silent; clean and faulty phases take turns in one run."""
    clocked, faulty = Clocked(), False

    async def answer(got: Received) -> web.Response:
        clocked.note(got)
        if faulty and got.path == "/bad":
            await asyncio.sleep(3)
        return web.Response(status=204)

    receiver.answer = answer
    healthy = [f"/{number}" for number in range(4)]
    async with firm(served) as (_, client, _):
        for path in [*healthy, "/bad"]:
            types = [open_type()[0]]
            await hook(client, receiver.url + path, event_types=types, timeout_seconds=1, retry_schedule=[1] * 30)
        for phase in ("w0", "c1", "f1", "c2", "f2"):
            faulty = phase.startswith("f")
            await clocked.send(client, phase, 80, 0.03)
            await clocked.complete(phase, healthy)
    clean, hurt = (clocked.lag(phase, healthy, 99) for phase in "cf")
    note("p99", (clean, hurt))
    assert hurt <= RATIO * clean + MARGIN, (clean, hurt)


async def _behind_a_queue(served: Rig, receiver: Receiver, depth: int) -> tuple[float, float]:
    """One tenant's lag when all is quiet, and while another has so many events waiting to go out."""
    clocked = Clocked()

    async def answer(got: Received) -> web.Response:
        clocked.note(got)
        await asyncio.sleep(0.3 if got.path == "/flooded" else 0)
        return web.Response(status=204)

    receiver.answer = answer
    async with firm(served) as (flooded, other, other_id), firm(served) as (_, client, _):
        await hook(client, f"{receiver.url}/calm", event_types=[open_type()[0]], ordering="subject")
        await clocked.send(client, "w", 40, 0.05)
        await clocked.send(client, "c", 100, 0.05)
        await clocked.complete("c", ["/calm"])
        endpoint = await hook(other, f"{receiver.url}/flooded", event_types=["job.created"])
        await job(other, other_id)
        await served.ask(
            "WITH one AS (SELECT * FROM events WHERE tenant_id = $1 AND type = 'job.created'), many AS ("
            " INSERT INTO events (tenant_id, id, epoch, event_id, type, version, at, actor_type, data)"
            " SELECT tenant_id, overlay(gen_random_uuid()::text PLACING left(id::text, 15) FROM 1 FOR 15)::uuid, epoch,"
            " event_id || '-' || n, type, version, at, actor_type, data FROM one, generate_series(1, $2::int) AS n"
            " RETURNING tenant_id, id) INSERT INTO outbox (tenant_id, id) SELECT tenant_id, id FROM many",
            flooded.id,
            depth,
        )
        await job(other, other_id)
        await clocked.send(client, "f", 100, 0.05)
        await clocked.complete("f", ["/calm"])
        left = "SELECT (SELECT count(*) FROM outbox WHERE tenant_id = $1) + (SELECT count(*) FROM deliveries"
        waiting = await served.ask(f"{left} WHERE tenant_id = $1 AND due_at IS NOT NULL)", flooded.id)
        assert waiting > depth / 10, "the queue was too short to stand in anybody's way"
        await other.delete(f"/api/v1/webhook-endpoints/{endpoint}")
    return clocked.lag("c", ["/calm"], 75), clocked.lag("f", ["/calm"], 75)


async def test_a_long_queue_of_one_tenant_does_not_delay_another(served: Rig, receiver: Receiver, note: Note) -> None:
    quiet, beside = await _behind_a_queue(served, receiver, 30_000)
    note("lag", (quiet, beside))
    assert beside <= 5 * quiet + 0.4, (quiet, beside)


@pytest.mark.proof
async def test_a_hundred_thousand_of_one_tenant_do_not_delay_another(
    served: Rig, receiver: Receiver, note: Note
) -> None:
    quiet, beside = await _behind_a_queue(served, receiver, 100_000)
    note("lag", (quiet, beside))
    assert beside <= 5 * quiet + 0.4, (quiet, beside)
