"""The bus inside Crosstie: what modules do about an event happens once, in order where asked, and is never lost."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from crosstie.app import Process, opened
from crosstie.db import session
from crosstie.declare.module import Reaction
from crosstie.errors import NotFound
from crosstie.kit import clock
from crosstie.log import change, letter
from crosstie.log.event import OPERATOR, Event
from crosstie.log.reaction import KIND, Reactions
from crosstie.log.sink import Lease
from crosstie.log.unit import Unit
from crosstie.modules.crm.client import CLIENTS
from tests.stage import PATIENCE, Stage, Tenant

#: nothing of our own follows from it
NEWS = "erp.product.updated"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """An installation that nobody serves: the processes are the tests' own."""
    home = Path(tempfile.mkdtemp(prefix="crosstie-test-"))
    found = Stage(home)
    try:
        yield found
    finally:
        found.embedded.remove()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
async def tenant(stage: Stage) -> Tenant:
    return await stage.tenant()


async def of_tenant(tenant: Tenant, reaction: Reaction, unit: Unit, event: Event, data: Mapping[str, Any]) -> None:
    if unit.tenant_id == tenant.id:
        await reaction.run(unit, event, data)


@asynccontextmanager
async def running(stage: Stage, tenant: Tenant, *reactions: Reaction) -> AsyncIterator[Process]:
    """A worker whose modules have these reactions. What tests before this one left undone is none of its business."""
    own = [replace(each, run=partial(of_tenant, tenant, each)) for each in reactions]
    async with opened(stage.settings, stage.dsns, work=True, name="test") as process:
        process.routes.add(Reactions(process.log, own, [0.1] * 3))
        assert process.worker is not None
        tasks = [asyncio.create_task(run()) for run in (process.dispatcher.run, process.worker.run)]
        try:
            yield process
        finally:
            await process.worker.stop(PATIENCE)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def client_of(unit: Unit, event: Event, data: Mapping[str, Any]) -> None:
    """The effect: a client per event."""
    values = CLIENTS.creation.decode({"name": data["contact"]["name"]})
    await change.create(unit, CLIENTS, values)


async def tell(process: Process, tenant: Tenant, name: str, lead: str = "l-1", ago: float = 0) -> Event:
    async with process.log.unit(tenant.id, now=clock.now() - timedelta(seconds=ago)) as unit:
        return unit.append(NEWS, {"product_id": lead, "contact": {"name": name}}, ("product", lead))


async def rows(process: Process, tenant: Tenant, query: str) -> list[Any]:
    async with session.of_tenant(process.log.app, tenant.id) as connection:
        return [row[0] for row in await connection.fetch(query)]


async def clients(process: Process, tenant: Tenant) -> list[str]:
    return await rows(process, tenant, "SELECT name FROM clients ORDER BY id")


async def settled(process: Process, tenant: Tenant, query: str, wanted: list[Any]) -> None:
    """Return when a query answers so."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while (found := await rows(process, tenant, query)) != wanted:
        assert asyncio.get_running_loop().time() < end, found
        await asyncio.sleep(0.05)


DELIVERIES = "SELECT status FROM deliveries ORDER BY id"


async def test_a_subscriber_added_later_hears_of_what_comes_and_of_what_waited(stage: Stage, tenant: Tenant) -> None:
    async with opened(stage.settings, stage.dsns, work=False, name="publisher") as process:
        await tell(process, tenant, "while nobody worked")
    async with running(stage, tenant, Reaction("made", (NEWS,), client_of)) as process:
        await tell(process, tenant, "now")
        await settled(process, tenant, "SELECT name FROM clients ORDER BY name", ["now", "while nobody worked"])
        made = "SELECT causation_id FROM events WHERE type = 'client.created'"
        assert len(set(await rows(process, tenant, made))) == 2
        assert await rows(process, tenant, "SELECT actor_id FROM events WHERE type = 'client.created'") == ["made"] * 2


async def test_what_is_run_twice_has_one_effect(stage: Stage, tenant: Tenant) -> None:
    """As when a worker is killed between the commit and the record of it, or when an event is replayed."""
    reaction = Reaction("once", (NEWS,), client_of)
    async with opened(stage.settings, stage.dsns, work=True, name="test") as process:
        sink = Reactions(process.log, [reaction], [])
        event = await tell(process, tenant, "Otieno")
        async with session.of_tenant(process.log.app, tenant.id) as connection:
            (route,) = await sink.routes(connection, [tenant.id])
        leases = [Lease(tenant.id, event.id, route.id, KIND, number, event) for number in range(1, 21)]
        outcomes = await asyncio.gather(*(sink.send(lease, route) for lease in leases))
        assert all(outcome.ok for outcome in outcomes)
        assert (await sink.send(leases[0], route)).ok
        assert await clients(process, tenant) == ["Otieno"]


async def test_an_effect_that_broke_off_is_done_when_it_is_tried_again(stage: Stage, tenant: Tenant) -> None:
    tried: list[int] = []

    async def breaks(unit: Unit, event: Event, data: Mapping[str, Any]) -> None:
        await client_of(unit, event, data)
        await unit.flush()
        tried.append(1)
        if len(tried) == 1:
            raise asyncpg.InterfaceError("the line is gone")

    async with running(stage, tenant, Reaction("breaks", (NEWS,), breaks)) as process:
        await tell(process, tenant, "Otieno")
        await settled(process, tenant, DELIVERIES, ["delivered"])
        assert (len(tried), await clients(process, tenant)) == (2, ["Otieno"])


async def test_one_that_is_broken_off_from_within_is_done_all_the_same(stage: Stage, tenant: Tenant) -> None:
    """Whatever ends an attempt without a result: its lease is given back, and nothing waits for a restart."""
    tried: list[int] = []

    async def cancelled(unit: Unit, event: Event, data: Mapping[str, Any]) -> None:
        tried.append(1)
        if len(tried) == 1:
            raise asyncio.CancelledError
        await client_of(unit, event, data)

    async with running(stage, tenant, Reaction("cancelled", (NEWS,), cancelled)) as process:
        await tell(process, tenant, "Otieno")
        await settled(process, tenant, DELIVERIES, ["delivered"])
        assert await clients(process, tenant) == ["Otieno"]


async def test_one_that_is_not_known_yet_is_waited_for(stage: Stage, tenant: Tenant) -> None:
    """Delivered before created ends right (B-082): the second event finds what the first one made."""
    seen: list[str] = []

    async def second(unit: Unit, event: Event, data: Mapping[str, Any]) -> None:
        if not seen:
            raise NotFound("There is no such lead yet.")
        seen.append("second")

    async with running(stage, tenant, Reaction("second", (NEWS,), second)) as process:
        await tell(process, tenant, "x")
        end = asyncio.get_running_loop().time() + PATIENCE
        while "not_found" not in await rows(process, tenant, "SELECT error_code FROM attempts"):
            assert asyncio.get_running_loop().time() < end
            await asyncio.sleep(0.02)
        seen.append("first")
        await settled(process, tenant, DELIVERIES, ["delivered"])
    assert seen == ["first", "second"]


async def test_events_of_one_subject_keep_their_order_where_asked(stage: Stage, tenant: Tenant) -> None:
    seen: list[str] = []

    async def slow(unit: Unit, event: Event, data: Mapping[str, Any]) -> None:
        name = data["contact"]["name"]
        seen.append(name)
        if name == "l-1 0" and seen.count(name) < 3:
            raise NotFound("Not yet.")

    async with running(stage, tenant, Reaction("ordered", (NEWS,), slow, ordered=True)) as process:
        for number in range(4):
            for lead in ("l-1", "l-2"):
                await tell(process, tenant, f"{lead} {number}", lead)
        await settled(process, tenant, DELIVERIES, ["delivered"] * 8)
    assert [name for name in seen if name.startswith("l-2")] == [f"l-2 {number}" for number in range(4)]
    assert [name for name in seen if name.startswith("l-1")] == ["l-1 0"] * 2 + [f"l-1 {n}" for n in range(4)]


async def test_an_older_word_about_a_subject_is_passed_over_where_asked(stage: Stage, tenant: Tenant) -> None:
    async with running(stage, tenant, Reaction("newest", (NEWS,), client_of, latest=True)) as process:
        await tell(process, tenant, "newer", ago=5)
        await settled(process, tenant, DELIVERIES, ["delivered"])
        await tell(process, tenant, "older", ago=10)
        await tell(process, tenant, "of another", "l-2", ago=10)
        await settled(process, tenant, DELIVERIES, ["delivered"] * 3)
        await tell(process, tenant, "newest")
        await settled(process, tenant, DELIVERIES, ["delivered"] * 4)
        assert sorted(await clients(process, tenant)) == ["newer", "newest", "of another"]


async def test_what_never_succeeds_is_a_dead_letter_and_holds_up_nobody(stage: Stage, tenant: Tenant) -> None:
    healed: list[int] = []

    async def picky(unit: Unit, event: Event, data: Mapping[str, Any]) -> None:
        if data["contact"]["name"] == "poison" and not healed:
            raise NotFound("Nobody will ever know it.")
        await client_of(unit, event, data)

    async with running(stage, tenant, Reaction("picky", (NEWS,), picky)) as process:
        await tell(process, tenant, "poison")
        await tell(process, tenant, "good")
        await settled(process, tenant, "SELECT cause FROM dead_letters", ["not_found"])
        assert await clients(process, tenant) == ["good"]
        assert await rows(process, tenant, "SELECT event->'data'->'contact'->>'name' FROM dead_letters") == ["poison"]
        healed.append(1)
        async with process.log.unit(tenant.id, OPERATOR) as unit:
            (row,) = await unit.connection.fetch("SELECT * FROM dead_letters")
            await letter.retry(unit, letter.DeadLetter.view(row), {})
        await settled(process, tenant, "SELECT name FROM clients ORDER BY name", ["good", "poison"])
        assert await rows(process, tenant, "SELECT id FROM dead_letters") == []
