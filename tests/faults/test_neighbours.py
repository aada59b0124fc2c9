"""Nobody pays for his neighbour: neither for dead endpoints nor for a long queue. Told by who came before whom, since
seconds depend on the machine: `bench/fairness.py` has those."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from uuid import UUID, uuid4

import httpx2
import pytest
from aiohttp import web

from crosstie.app import opened
from crosstie.db import session
from crosstie.kit import clock
from crosstie.log.append import columns
from crosstie.log.dispatch import BATCH, Dispatcher
from crosstie.log.record import APPEND, event
from crosstie.log.route import Routes
from crosstie.log.worker import ABREAST
from tests.faults.firm import firm, hook, job
from tests.faults.rig import Note, Rig, open_type
from tests.faults.test_lanes import Drawer
from tests.receiver import Received, Receiver

#: a busy machine may take long to start processes
pytestmark = pytest.mark.timeout(600)
#: what the crowded endpoint takes at once
CAP = 8
#: the most that an endpoint may be set to take at once
MOST_IN_FLIGHT = 256
#: an event may have to wait for the batch that is under way and for its own; the rest is what a busy machine adds
BATCHES = 10
FLOOD = (
    "WITH one AS (SELECT * FROM events WHERE tenant_id = $1 AND type = 'job.created' LIMIT 1), many AS ("
    " INSERT INTO events (tenant_id, id, epoch, event_id, type, version, at, actor_type, data)"
    " SELECT tenant_id, overlay(gen_random_uuid()::text PLACING left(id::text, 15) FROM 1 FOR 15)::uuid, epoch,"
    " gen_random_uuid(), type, version, at, actor_type, data FROM one, generate_series(1, $2::int) AS n"
    " RETURNING tenant_id, id) INSERT INTO outbox (tenant_id, id) SELECT tenant_id, id FROM many"
)


class Door:
    """Who stands before it waits until it is opened; the others pass. `came` and `most` count by path."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.open = False
        self.came: Counter[str] = Counter()
        self.under_way = self.most = 0

    async def __call__(self, got: Received) -> web.Response:
        self.came[got.path] += 1
        if got.path == self.path:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            while not self.open:  # noqa: ASYNC110  # opened by another thread
                await asyncio.sleep(0.01)
            self.under_way -= 1
        return web.Response(status=204)

    def heard(self, path: str, count: int) -> bool:
        """Whether so many have come by now."""
        return self.came[path] >= count


async def comes(true: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Return once it is true. Raises TimeoutError."""
    for _ in range(int(seconds * 50)):
        if true():
            return
        await asyncio.sleep(0.02)
    raise TimeoutError(what)


async def send(client: httpx2.AsyncClient, *ids: str) -> None:
    """Events of an outsider, each of a subject of its own."""
    name, example = open_type()
    made = [{"event_id": id, "event_type": name, "data": example, "subject": {"type": "lane", "id": id}} for id in ids]
    answer = await client.post("/api/v1/events/batch", json={"events": made})
    assert answer.json()["accepted"] == len(made), answer.text


async def test_dead_endpoints_do_not_slow_the_healthy_ones(served: Rig, receiver: Receiver) -> None:
    """While one endpoint in five answers nothing at all, the others hear of everything."""
    receiver.answer = door = Door("/dead")
    healthy = [f"/{number}" for number in range(4)]
    async with firm(served) as (tenant, client, _):
        for path in [*healthy, door.path]:
            types = [open_type()[0]]
            await hook(client, receiver.url + path, event_types=types, timeout_seconds=30, max_in_flight=CAP)
        await send(client, *(f"e{number}" for number in range(4 * CAP)))
        await comes(lambda: all(door.came[path] == 4 * CAP for path in healthy), f"only {door.came} came")
        ended = await served.ask(
            "SELECT count(*) FROM attempts WHERE tenant_id = $1 AND response_status IS NULL", tenant.id
        )
        assert (ended, door.most) == (0, CAP), "none was given up, and no more than its cap stood before the dead one"
        door.open = True
        await served.drained([tenant])


async def test_one_tenants_silent_endpoints_do_not_take_every_place(served: Rig, receiver: Receiver) -> None:
    """More attempts wait at them than all processes may have under way, and still another tenant hears at once."""
    receiver.answer = door = Door("/silent")
    many = 2 * ABREAST * len(served.children) // MOST_IN_FLIGHT
    async with firm(served) as (crowd, other, _), firm(served) as (_, client, _):
        await hook(client, f"{receiver.url}/calm", event_types=[open_type()[0]])
        for _ in range(many):
            settings = {"event_types": [open_type()[0]], "timeout_seconds": 30, "max_in_flight": MOST_IN_FLIGHT}
            await hook(other, f"{receiver.url}{door.path}", **settings)
        await send(other, *(f"e{number}" for number in range(MOST_IN_FLIGHT)))
        await comes(lambda: door.under_way >= ABREAST // 2, "the crowd does not come")
        await send(client, "calm")
        await comes(partial(door.heard, "/calm", 1), "the other tenant hears of nothing")
        ended = await served.ask("SELECT count(*) FROM attempts WHERE tenant_id = $1", crowd.id)
        assert ended == 0, "none of the crowd had ended by then"
        assert door.most <= ABREAST // 2 * len(served.children)
        door.open = True
        await served.drained([crowd])


async def _behind_a_queue(served: Rig, receiver: Receiver, depth: int) -> list[int]:
    """How many of a crowd were sent on their way between a quiet tenant's events and their deliveries."""
    receiver.answer = door = Door("/crowded")
    async with firm(served) as (crowd, other, other_id), firm(served) as (calm, client, _):
        await hook(client, f"{receiver.url}/calm", event_types=[open_type()[0]], ordering="subject")
        settings = {"event_types": ["job.created"], "max_in_flight": CAP, "timeout_seconds": 30}
        endpoint = await hook(other, f"{receiver.url}{door.path}", **settings)
        await job(other, other_id)
        overtakers: list[int] = []
        for turn in range(6):
            if await served.ask("SELECT count(*) FROM outbox WHERE tenant_id = $1", crowd.id) < depth / 2:
                await served.ask(FLOOD, crowd.id, depth)
                await job(other, other_id)
            before = door.came[door.path]
            door.open = True
            await comes(partial(door.heard, door.path, before + CAP), "the crowd does not move")
            door.open = False
            await comes(lambda: door.under_way == CAP, "the crowd has gone")
            await send(client, f"e{turn}")
            await comes(partial(door.heard, "/calm", turn + 1), f"e{turn} does not get past the crowd")
            overtakers.append(await _overtakers(served, crowd.id, calm.id, f"e{turn}"))
        assert door.most == CAP
        door.open = True
        await other.delete(f"/api/v1/webhook-endpoints/{endpoint}")
    return overtakers


async def _overtakers(served: Rig, crowd: UUID, calm: UUID, event_id: str) -> int:
    """Deliveries of the crowd that were made after an event came in and before its own delivery was made."""
    query = (
        "SELECT count(*) FROM deliveries o JOIN deliveries d ON d.tenant_id = $2 AND d.event_id = $3"
        " WHERE o.tenant_id = $1 AND o.id > d.log_id AND o.id < d.id"
    )
    return int(await served.ask(query, crowd, calm, event_id))


async def test_a_long_queue_of_one_tenant_does_not_delay_another(served: Rig, receiver: Receiver, note: Note) -> None:
    overtakers = await _behind_a_queue(served, receiver, 20_000)
    note("overtakers", overtakers)
    assert max(overtakers) <= BATCHES * BATCH
    assert any(overtakers), "there was no crowd in the outbox"


@pytest.mark.proof
async def test_a_hundred_thousand_of_one_tenant_do_not_delay_another(
    served: Rig, receiver: Receiver, note: Note
) -> None:
    overtakers = await _behind_a_queue(served, receiver, 100_000)
    note("overtakers", overtakers)
    assert max(overtakers) <= BATCHES * BATCH
    assert any(overtakers), "there was no crowd in the outbox"


async def test_a_batch_takes_of_each_tenant_its_share(rig: Rig) -> None:
    """The rule itself, without a process: who came first does not come before everybody else."""
    crowd, calm = uuid4(), uuid4()
    async with opened(rig.stage.settings, rig.stage.dsns, work=False, name="dispatch") as process:
        pool = process.log.worker
        for tenant, count in ((crowd, 2 * BATCH), (calm, 3)):
            news = [event("job.created", tenant, {}, ("job", str(n)), clock.now()) for n in range(count)]
            async with session.of_tenants(pool, {tenant}) as connection:
                await connection.execute(APPEND, *columns(news, 1))
        left = await Dispatcher(pool, Routes(pool, [Drawer()]), None).batch({crowd, calm})
    made = "SELECT count(*) FROM deliveries WHERE tenant_id = $1"
    assert [await rig.ask(made, tenant) for tenant in (crowd, calm)] == [BATCH // 2, 3]
    assert left == {crowd}
    await rig.ask("DELETE FROM outbox WHERE tenant_id = $1 RETURNING id", crowd)
