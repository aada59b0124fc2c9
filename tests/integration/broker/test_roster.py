"""Processes whose settings name different brokers, and a broker that is taken out of them all."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

from crosstie.app import Process, opened
from crosstie.deliver.broker.address import parse
from crosstie.deliver.broker.roster import GONE, Roster
from tests.parts.command import Command
from tests.stage import PATIENCE, Stage, Tenant

FIRST, SECOND = "nats://127.0.0.1:9?types=client.*", "amqp://127.0.0.1:9?name=second&types=client.*"
WAITING = "SELECT endpoint_id, status, error_code FROM deliveries WHERE tenant_id = $1"


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


async def deliveries(stage: Stage, tenant: Tenant, count: int) -> dict[str, tuple[str, str | None]]:
    """Status and error of a tenant's deliveries by broker, once there are so many."""
    names = {parse(entry).route(tenant.id): parse(entry).name for entry in (FIRST, SECOND)}
    connection = await stage.superuser()
    end = asyncio.get_running_loop().time() + PATIENCE
    try:
        while len(rows := await connection.fetch(WAITING, tenant.id)) < count:
            assert asyncio.get_running_loop().time() < end, rows
            await asyncio.sleep(0.05)
        return {names[row["endpoint_id"]]: (row["status"], row["error_code"]) for row in rows}
    finally:
        await connection.close()


async def test_a_process_writes_down_what_only_another_sends(stage: Stage) -> None:
    tenant = await stage.tenant()
    async with AsyncExitStack() as stack:
        writes = await process(stack, stage, FIRST)
        await process(stack, stage, SECOND)
        roster = Roster(writes.log.worker, [parse(FIRST)], serves=True)
        await roster.beat()
        assert [(other.name, other.types) for other in roster.others] == [("second", ("client.*",))]
    async with AsyncExitStack() as stack:
        writes = await process(stack, stage, FIRST)
        async with writes.log.unit(tenant.id) as unit:
            unit.append("client.created", {"client_id": str(tenant.id), "name": "Nile"}, ("client", str(tenant.id)))
        await writes.dispatcher.batch({tenant.id})
        found = await deliveries(stage, tenant, 2)
        assert found == {"nats://127.0.0.1:9": ("pending", None), "second": ("pending", None)}


async def test_what_waits_for_a_broker_that_nobody_names_any_more_is_cancelled(stage: Stage) -> None:
    tenant = await stage.tenant()
    async with AsyncExitStack() as stack:
        both = await process(stack, stage, FIRST, SECOND)
        async with both.log.unit(tenant.id) as unit:
            unit.append("client.created", {"client_id": str(tenant.id), "name": "Nile"}, ("client", str(tenant.id)))
        await both.dispatcher.batch({tenant.id})
        await deliveries(stage, tenant, 2)
    async with AsyncExitStack() as stack:
        one = await process(stack, stage, FIRST)
        assert (await deliveries(stage, tenant, 2))["second"] == ("pending", None), "it may come back"
        connection = await stage.superuser()
        await connection.execute(
            "UPDATE brokers SET seen_at = now() - $1 * interval '1 second' WHERE name = 'second'", GONE
        )
        await connection.close()
        await Roster(one.log.worker, [parse(FIRST)], serves=True).beat()
        found = await deliveries(stage, tenant, 2)
        assert found == {"nats://127.0.0.1:9": ("pending", None), "second": ("cancelled", "broker_removed")}
    command = Command(stage.home, {"CROSSTIE_EGRESS_ALLOW": "127.0.0.0/8"})
    (listed,) = (await asyncio.to_thread(command, "brokers", "list", "-o", "jsonl")).many
    assert (listed["name"], listed["waiting"]) == ("nats://127.0.0.1:9", 1)
    await asyncio.to_thread(command, "brokers", "forget", "nats://127.0.0.1:9")
    assert (await deliveries(stage, tenant, 2))["nats://127.0.0.1:9"] == ("cancelled", "broker_removed")
