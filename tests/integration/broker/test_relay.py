"""How events get from the log to a broker: in order, once where nothing breaks, and each where somebody can see it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from crosstie.access import tenant as tenants
from crosstie.app import Process, opened, serve
from crosstie.db import session
from crosstie.deliver.broker.address import parse
from crosstie.deliver.broker.relay import SWEEP
from crosstie.deliver.broker.roster import Roster
from crosstie.kit import clock, ids
from crosstie.log import follow
from crosstie.log.read import Cursor
from crosstie.log.retention import week
from tests.fence import fence, until
from tests.integration.broker.peer import CLIENT, NatsPeer
from tests.parts import nats
from tests.stage import Stage, Tenant

XID = "SELECT pg_current_xact_id()::text"
DELIVERED = (
    "SELECT count(*) FROM deliveries WHERE tenant_id = $1 AND sink = 'broker' AND status = 'delivered'"
    " AND event_type = 'client.updated'"
)


@dataclass(frozen=True)
class Way:
    """A broker that is for one tenant of the stage, and whoever listens there."""

    stage: Stage
    tenant: Tenant
    server: nats.NatsServer
    peer: NatsPeer
    word: str

    def entry(self, **options: str) -> str:
        """What the settings of a process say."""
        query = {"name": self.word, "tenants": self.tenant.slug} | options
        return f"{self.server.url}?{'&'.join(f'{name}={value}' for name, value in query.items())}"

    @asynccontextmanager
    async def working(self, name: str = "relays", **options: str) -> AsyncIterator[None]:
        """A worker that serves the broker."""
        settings = msgspec.structs.replace(
            self.stage.settings,
            brokers=(self.entry(**options),),
            broker_out=f"{self.word}.out.{{event_type}}",
            broker_in=f"{self.word}.in.{{event_type}}",
        )
        stop = asyncio.Event()
        task = asyncio.create_task(serve(settings, self.stage.dsns, api=False, work=True, name=name, stop=stop))
        try:
            yield
        finally:
            stop.set()
            await task

    async def say(self, process: Process, subject: str, **data: Any) -> None:
        """An event of the tenant about a subject."""
        async with process.log.unit(self.tenant.id) as unit:
            say(unit, subject, **data)

    async def hear(self, count: int) -> list[tuple[str, int]]:
        """Subject and sequence of the tenant's next events that somebody hears, of those that tests tell of."""
        found: list[tuple[str, int]] = []
        while len(found) < count:
            event = await self.next()
            if event["tenant_id"] == str(self.tenant.id):
                found.append((event["subject"]["id"], event["sequence"]))
        return found

    async def next(self) -> dict[str, Any]:
        """The next such event of any tenant."""
        while (event := (await self.peer.hear()).event)["event_type"] != "client.updated":
            pass
        return dict(event)


def say(unit: Any, subject: str, **data: Any) -> None:
    unit.append("client.updated", CLIENT | data, ("client", subject))


@pytest.fixture
async def process(stage: Stage) -> AsyncIterator[Process]:
    """The parts of a process that knows of no broker, and tells others of what it commits."""
    async with opened(stage.settings, stage.dsns, work=False, name="test") as found:
        telling = asyncio.create_task(found.herald.run())
        yield found
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[nats.NatsServer]:
    """A server that takes small messages only."""
    if nats.PROGRAM is None:
        pytest.skip("nats-server is not installed")
    config = tmp_path / "nats.conf"
    config.write_text("max_payload: 4096\n")
    with nats.served("-c", str(config)) as server:
        yield server


@pytest.fixture
async def look(stage: Stage) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Ask the database, past its policies."""
    connection = await stage.superuser()
    yield connection.fetchval
    await connection.close()


@pytest.fixture
async def way(
    stage: Stage, tenant: Tenant, small: nats.NatsServer, process: Process, look: Callable[..., Awaitable[Any]]
) -> AsyncIterator[Way]:
    """The broker, with its streams and its place in the log; forgotten afterwards."""
    found = Way(stage, tenant, small, NatsPeer(), f"r{secrets.token_hex(4)}")

    async def begun() -> bool:
        return bool(await look("SELECT EXISTS (SELECT FROM places WHERE way = $1)", found.word))

    async with found.working():
        await until(begun)
    await found.peer.open(small.url, found.word)
    yield found
    await found.peer.close()
    await Roster(process.log.worker, (), serves=False).forget(found.word)


async def test_a_subject_keeps_its_order_whatever_transactions_wait(
    way: Way, process: Process, stage: Stage, look: Callable[..., Awaitable[Any]]
) -> None:
    """The event that came second stands first in the log, and the first one behind a transaction that goes on."""
    subject, holder = str(uuid4()), await stage.superuser()
    async with way.working():
        async with process.log.unit(way.tenant.id) as early:
            await early.connection.fetchval(XID)
            holding = holder.transaction()
            await holding.start()
            await holder.fetchval(XID)
            await way.say(process, subject)
            say(early, subject)
        assert await way.hear(2) == [(subject, 1), (subject, 2)]
        await holding.rollback()
        await way.say(process, subject)
        assert await way.hear(1) == [(subject, 3)]
    assert await look(DELIVERED, way.tenant.id) == 3, "none of them again"
    await holder.close()


async def test_what_commits_late_is_not_passed_over_and_takes_its_turn(way: Way, process: Process) -> None:
    subject, other = str(uuid4()), str(uuid4())
    async with way.working():
        async with process.log.unit(way.tenant.id) as early:
            await early.connection.fetchval(XID)
            await way.say(process, subject)
            await asyncio.sleep(2 * SWEEP)  # a relay that looked past the horizon would have gone on by now
            say(early, other)
            say(early, subject)
        heard = await way.hear(3)
        assert sorted(heard) == sorted([(other, 1), (subject, 1), (subject, 2)])
        assert [each for each in heard if each[0] == subject] == [(subject, 1), (subject, 2)]


async def test_a_place_goes_forwards_only(way: Way, process: Process, look: Callable[..., Awaitable[Any]]) -> None:
    place = "SELECT xid FROM places WHERE tenant_id = $1 AND way = $2"
    before = await look(place, way.tenant.id, way.word)
    for step, expected in ((5, before + 5), (2, before + 5)):
        async with session.of_tenants(process.log.worker, [way.tenant.id]) as connection:
            end = Cursor(process.log.epoch, before + step, UUID(int=0))
            await follow.move(connection, way.word, {way.tenant.id: end})
        assert await look(place, way.tenant.id, way.word) == expected


async def test_one_of_two_workers_sends_and_the_other_takes_over(
    way: Way, process: Process, look: Callable[..., Awaitable[Any]]
) -> None:
    subject = str(uuid4())
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(AsyncExitStack())
        await first.enter_async_context(way.working("first"))
        holder = "SELECT held_by FROM brokers WHERE name = $1 AND held_by IN (SELECT id FROM workers WHERE name = $2)"

        async def held() -> bool:
            return await look(holder, way.word, "first") is not None

        await until(held)
        await stack.enter_async_context(way.working("second"))
        for _ in range(30):
            await way.say(process, subject)
        assert await way.hear(30) == [(subject, number) for number in range(1, 31)]
        await first.aclose()
        for _ in range(30):
            await way.say(process, subject)
        assert await way.hear(30) == [(subject, number) for number in range(31, 61)]
    assert await look(DELIVERED, way.tenant.id) == 60


async def test_who_has_no_line_to_the_broker_loses_it(
    way: Way, process: Process, look: Callable[..., Awaitable[Any]]
) -> None:
    """Both workers live; the one that holds the broker has not asked for it lately."""
    workers = [uuid4(), uuid4()]
    for worker in workers:
        await process.log.worker.fetch("SELECT * FROM worker_beat($1, 'test')", worker)
    hold = "SELECT broker_hold($1, $2, 20)"
    assert [await process.log.worker.fetchval(hold, way.word, worker) for worker in workers] == [True, False]
    await look("UPDATE brokers SET held_at = held_at - interval '21 s' WHERE name = $1", way.word)
    assert await process.log.worker.fetchval(hold, way.word, workers[1])
    assert not await process.log.worker.fetchval(hold, way.word, workers[0])
    for worker in workers:
        await process.log.worker.execute("SELECT worker_leave($1)", worker)


async def test_what_the_broker_refuses_is_a_dead_letter_and_stops_nobody(way: Way, process: Process) -> None:
    subject = str(uuid4())
    async with way.working(), way.tenant.client() as client:
        await way.say(process, subject)
        await way.say(process, subject, notes="x" * 5_000)
        await way.say(process, subject)
        assert await way.hear(2) == [(subject, 1), (subject, 3)]

        async def buried() -> bool:
            letters = (await client.get("/api/v1/dead-letters")).json()["data"]
            return [letter["cause"] for letter in letters] == ["too_large"]

        await until(buried)


async def test_a_suspended_tenants_events_wait(
    way: Way, process: Process, stage: Stage, look: Callable[..., Awaitable[Any]]
) -> None:
    other = await stage.tenant()
    theirs = replace(way, tenant=other)

    async def begun() -> bool:
        return bool(await look("SELECT EXISTS (SELECT FROM places WHERE tenant_id = $1)", other.id))

    async with way.working(tenants=f"{way.tenant.slug},{other.slug}"):
        await until(begun)
        await tenants.set_status(process.log.app, process.vault, way.tenant.id, "suspended")
        for each in (way, theirs):
            await each.say(process, "meanwhile")
        assert (await way.next())["tenant_id"] == str(other.id)
        await tenants.set_status(process.log.app, process.vault, way.tenant.id, "active")
        assert await way.hear(1) == [("meanwhile", 1)]


async def test_what_waits_is_counted_and_is_only_what_the_broker_wants(
    way: Way, process: Process, look: Callable[..., Awaitable[Any]]
) -> None:
    async with way.working(types="client.updated"):
        await until(lambda: none_waits(way, process))
    for number in range(5):
        await way.say(process, f"c{number}")
        async with process.log.unit(way.tenant.id) as unit:
            unit.append("client.created", CLIENT, ("client", f"d{number}"))
    assert await waiting(way, process) == 5
    async with way.working(types="client.updated"):
        assert sorted(await way.hear(5)) == [(f"c{number}", 1) for number in range(5)]
        await until(lambda: none_waits(way, process))
    unwanted = (
        "SELECT count(*) FROM deliveries WHERE tenant_id = $1 AND sink = 'broker' AND event_type = 'client.created'"
    )
    assert await look(unwanted, way.tenant.id) == 0


async def waiting(way: Way, process: Process) -> int:
    listed = await Roster(process.log.worker, (), serves=False).listed()
    (found,) = [row["waiting"] for row in listed if row["name"] == way.word]
    return int(found)


async def none_waits(way: Way, process: Process) -> bool:
    return await waiting(way, process) == 0


async def test_a_tenant_that_it_is_now_for_begins_now(way: Way, process: Process, stage: Stage) -> None:
    other = await stage.tenant()
    theirs = replace(way, tenant=other)
    await theirs.say(process, "before")
    async with other.client() as client:
        await fence(client)  # no older transaction is under way, behind which it would still be new
    roster = Roster(process.log.worker, [parse(way.entry(tenants=f"{way.tenant.slug},{other.slug}"))], serves=True)
    await roster.beat()
    await theirs.say(process, "after")
    async with way.working(tenants=f"{way.tenant.slug},{other.slug}"):
        assert await theirs.hear(1) == [("after", 1)]
        await until(lambda: none_waits(way, process))
    await theirs.say(process, "too late")
    assert await waiting(way, process) == 1
    roster = Roster(process.log.worker, [parse(way.entry())], serves=True)
    await roster.beat()
    assert await waiting(way, process) == 0, "what it is no longer for does not wait for it"


async def test_the_log_keeps_what_a_broker_has_not_had(
    way: Way, process: Process, look: Callable[..., Awaitable[Any]]
) -> None:
    """A week of the log is dropped; the broker has had the first of its two events."""
    monday = week(clock.now() - timedelta(days=70))
    bounds = [ids.floor(monday), ids.floor(monday + timedelta(days=7))]
    await process.log.worker.execute("SELECT partition_add('events', $1, $2, $3)", f"{monday:%Y%m%d}", *bounds)
    insert = (
        "INSERT INTO events (tenant_id, id, epoch, xid, event_id, type, version, at, actor_type, data)"
        " VALUES ($1, $2, 0, $3, $4, 'client.updated', 1, now(), 'system', '{}') RETURNING id"
    )
    made = [await look(insert, way.tenant.id, UUID(int=bounds[0].int + n), n, f"e{n}") for n in (1, 2)]
    moved = "UPDATE places SET epoch = 0, xid = 1, id = $3 WHERE tenant_id = $1 AND way = $2 RETURNING id"
    assert await look(moved, way.tenant.id, way.word, made[0])
    await process.log.worker.execute("SELECT partition_drop('events', $1)", f"{monday:%Y%m%d}")
    assert await look("SELECT array_agg(id) FROM events WHERE id = ANY ($1::uuid[])", made) == [made[1]]
