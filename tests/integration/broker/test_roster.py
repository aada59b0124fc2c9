"""Processes whose settings name different brokers, and a broker that is taken out of them all."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from crosstie.app import Process, opened
from crosstie.deliver.broker.address import parse
from crosstie.deliver.broker.again import republish
from crosstie.deliver.broker.roster import GONE, Roster
from crosstie.log.replay import Replays
from tests.integration.broker.peer import CLIENT
from tests.parts.command import Command
from tests.stage import Stage, Tenant

FIRST, SECOND = "nats://127.0.0.1:9?types=client.*", "amqp://127.0.0.1:9?name=second&types=client.*"


@pytest.fixture
def stage() -> Iterator[Stage]:
    """An installation that nobody serves: the processes are the tests' own."""
    home = Path(tempfile.mkdtemp(prefix="crosstie-test-"))
    found = Stage(home)
    try:
        yield found
    finally:
        found.embedded.remove()
        shutil.rmtree(home, ignore_errors=True)


async def process(stack: AsyncExitStack, stage: Stage, *brokers: str, work: bool = True) -> Process:
    settings = msgspec.structs.replace(stage.settings, brokers=brokers)
    return await stack.enter_async_context(opened(settings, stage.dsns, work=work, name="test"))


async def told(process: Process, tenant: Tenant) -> None:
    """One more event that both brokers want."""
    async with process.log.unit(tenant.id) as unit:
        unit.append("client.created", CLIENT, ("client", str(tenant.id)))


async def met(stage: Stage, way: str) -> None:
    """Return when a worker has looked at every tenant for a broker, although it is away."""
    connection = await stage.superuser()
    await connection.fetch("SELECT * FROM broker_tenants($1)", way)
    await connection.close()


async def waiting(process: Process) -> dict[str, int]:
    return {row["name"]: row["waiting"] for row in await Roster(process.log.worker, (), serves=False).listed()}


async def test_what_a_process_that_knows_no_broker_commits_waits_for_each_of_them(stage: Stage) -> None:
    tenant = await stage.tenant()
    async with AsyncExitStack() as stack:
        first = await process(stack, stage, FIRST)
        await process(stack, stage, SECOND)
        roster = Roster(first.log.worker, [parse(FIRST)], serves=True)
        await roster.beat()
        assert [(other.name, other.types) for other in roster.others] == [("second", ("client.*",))]
    async with AsyncExitStack() as stack:
        knows_none = await process(stack, stage)
        await told(knows_none, tenant)
        for name in ("nats://127.0.0.1:9", "second"):
            await met(stage, name)
        assert await waiting(knows_none) == {"nats://127.0.0.1:9": 1, "second": 1}


async def test_a_broker_that_nobody_names_any_more_is_forgotten(stage: Stage) -> None:
    """With what waited for it; a republication that waited says why it never went."""
    tenant = await stage.tenant()
    async with AsyncExitStack() as stack:
        both = await process(stack, stage, FIRST, SECOND)
        await told(both, tenant)
        for name in ("nats://127.0.0.1:9", "second"):
            await met(stage, name)
        async with both.log.unit(tenant.id) as unit:
            given = {"since": unit.now - timedelta(minutes=1), "until": unit.now + timedelta(minutes=1)}
            operation = await republish(unit, parse(SECOND), given, dry_run=False)
            await unit.finish()
            await Replays(both.routes).replay(unit, operation)
    async with AsyncExitStack() as stack:
        one = await process(stack, stage, FIRST)
        assert (await waiting(one))["second"] == 2, "it may come back"
        connection = await stage.superuser()
        await connection.execute(
            "UPDATE brokers SET seen_at = now() - $1 * interval '1 second' WHERE name = 'second'", GONE
        )
        await Roster(one.log.worker, [parse(FIRST)], serves=True).beat()
        assert await waiting(one) == {"nats://127.0.0.1:9": 1}
        left = await connection.fetch("SELECT status, error_code FROM deliveries WHERE tenant_id = $1", tenant.id)
        assert [tuple(row) for row in left] == [("cancelled", "broker_removed")]
        await connection.close()
    command = Command(stage.home, {"CROSSTIE_EGRESS_ALLOW": "127.0.0.0/8"})
    (listed,) = (await asyncio.to_thread(command, "brokers", "list", "-o", "jsonl")).many
    assert (listed["name"], listed["waiting"]) == ("nats://127.0.0.1:9", 1)
    await asyncio.to_thread(command, "brokers", "forget", "nats://127.0.0.1:9")
    assert (await asyncio.to_thread(command, "brokers", "list", "-o", "jsonl")).many == []
