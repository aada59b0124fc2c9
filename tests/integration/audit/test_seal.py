"""Sealing: whoever competes or is killed, a chain has every entry once; an erasure leaves it whole."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx2
import pytest

from crosstie.access import tenant as tenants
from crosstie.access.seal import Sealer
from crosstie.app import Process, anchors, opened
from crosstie.log import change
from crosstie.modules.crm.client import CLIENTS, Client
from tests.fence import until
from tests.integration.audit.reading import entries, verified
from tests.stage import Stage, Tenant

Report = Callable[[], Awaitable[dict[str, Any]]]


@pytest.fixture
async def process(stage: Stage) -> AsyncIterator[Process]:
    """The parts of a process that serves nobody."""
    async with opened(stage.settings, stage.dsns, work=False, name="test") as found:
        yield found


async def made(process: Process, tenant: UUID, name: str) -> None:
    async with process.log.unit(tenant) as unit:
        await change.create(unit, CLIENTS, CLIENTS.creation.decode({"name": name}))


async def anchored(stage: Stage, tenant: UUID, least: int) -> None:
    """Return when so many entries are sealed and under a checkpoint."""
    superuser = await stage.superuser()
    asked = "SELECT coalesce(max(anchored), 0) FROM audit_heads WHERE tenant_id = $1"

    async def there() -> bool:
        return bool(await superuser.fetchval(asked, tenant) >= least)

    try:
        await until(there, 60)
    finally:
        await superuser.close()


async def test_within_moments_what_was_done_is_sealed_and_anchored(
    process: Process, stage: Stage, tenant: Tenant, report: Report
) -> None:
    for number in range(20):
        await made(process, tenant.id, f"C {number}")
    await anchored(stage, tenant.id, 20)
    found = await report()
    assert found["ok"]
    assert found["unanchored"] == []


async def test_sealers_that_compete_make_one_chain(
    process: Process, stage: Stage, tenant: Tenant, report: Report
) -> None:
    sealers = [
        Sealer(process.log.worker, process.vault.witness, anchors(stage.settings, process.vault)) for _ in range(3)
    ]
    running = [asyncio.create_task(sealer.run()) for sealer in sealers]
    others = [await stage.tenant() for _ in range(3)]
    try:
        for _ in range(20):
            await asyncio.gather(*(made(process, each.id, "C") for each in (tenant, *others, tenant)))
        await anchored(stage, tenant.id, 41)
        for other in others:
            await anchored(stage, other.id, 21)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    found = await report()
    assert found["ok"], found
    assert found["entries"] == 42  # the tenant and its first key came before
    assert found["unanchored"] == []


async def test_an_entry_that_commits_late_gets_a_later_place(
    process: Process, client: httpx2.AsyncClient, tenant: Tenant, stage: Stage, report: Report
) -> None:
    async with process.log.unit(tenant.id) as slow:
        row = await change.create(slow, CLIENTS, CLIENTS.creation.decode({"name": "slow"}))
        await slow.finish()
        quick = (await client.post("/api/v1/clients", json={"name": "quick"})).json()
        (first,) = await entries(client, target_id=quick["id"])
        assert await entries(client, target_id=str(row.id)) == []
    (second,) = await entries(client, target_id=str(row.id))
    assert second["position"] == first["position"] + 1
    assert second["at"] < first["at"]
    await anchored(stage, tenant.id, second["position"])
    assert (await report())["ok"]


async def test_an_erasure_is_reported_and_no_fault(
    client: httpx2.AsyncClient, tenant: Tenant, stage: Stage, report: Report
) -> None:
    made = (await client.post("/api/v1/clients", json={"name": "Thandi Marker", "email": "t@example.com"})).json()
    await client.patch(f"/api/v1/clients/{made['id']}", json={"name": "Thandi M. Marker", "kind": "firm"})
    other = (await client.post("/api/v1/clients", json={"name": "Sipho"})).json()
    await entries(client)  # sealed

    assert (await client.post(f"/api/v1/clients/{made['id']}/erase")).status_code == 200

    *blank, erasure = await entries(client, target_id=made["id"])
    assert "Marker" not in str(blank)
    assert [entry["erased"] for entry in blank] == [True, True]
    assert blank[1]["after"] == {"kind": "firm", "updated_at": blank[1]["after"]["updated_at"]}
    assert erasure["action"] == "clients.erase"
    assert "Marker" not in str(erasure)
    assert {"name", "email"} <= set(erasure["after"]["fields"])
    (kept,) = await entries(client, target_id=other["id"])
    assert kept["after"]["name"] == "Sipho"
    await anchored(stage, tenant.id, erasure["position"])
    found = await report()
    assert found["ok"], found
    assert [each["position"] for each in found["erased"]] == [entry["position"] for entry in blank]


async def test_what_is_blanked_without_an_erasure_is_changed(
    client: httpx2.AsyncClient, tenant: Tenant, stage: Stage, report: Report
) -> None:
    made = (await client.post("/api/v1/clients", json={"name": "Thandi"})).json()
    (entry,) = await entries(client, target_id=made["id"])
    superuser = await stage.superuser()
    await superuser.execute(
        "UPDATE audit_entries SET personal = NULL, personal_salt = NULL WHERE tenant_id = $1 AND id = $2::uuid",
        tenant.id,
        entry["id"],
    )
    await superuser.close()
    found = await report()
    assert [(fault["entry_id"], fault["kind"]) for fault in found["faults"]] == [(UUID(entry["id"]), "changed")]


async def test_an_erasure_of_what_is_not_sealed_yet_leaves_nothing(
    process: Process, tenant: Tenant, client: httpx2.AsyncClient, stage: Stage, report: Report
) -> None:
    async with process.log.unit(tenant.id) as unit:
        row = await change.create(unit, CLIENTS, CLIENTS.creation.decode({"name": "Brief Marker"}))
    assert (await client.post(f"/api/v1/clients/{row.id}/erase")).status_code == 200
    assert "Brief" not in str(await entries(client, target_id=str(row.id)))
    superuser = await stage.superuser()
    for table in ("audit_entries", "audit_pending"):
        whole = await superuser.fetch(f"SELECT t::text FROM {table} t WHERE tenant_id = $1", tenant.id)
        assert "Brief" not in str(whole)
    await superuser.close()
    await anchored(stage, tenant.id, 4)
    assert (await report())["ok"]


async def test_a_sealer_that_is_killed_again_and_again_loses_and_doubles_nothing(quiet: Stage) -> None:
    command = [sys.executable, "-m", "tests.integration.audit.sealing", str(quiet.home), quiet.dsns.app]
    async with opened(quiet.settings, quiet.dsns, work=False, name="test") as process:
        tenant = await tenants.make(process.log.app, process.vault, slug="killed", name="Killed")
        written = 0
        for turn in range(5):
            sealer = await asyncio.create_subprocess_exec(*command, quiet.dsns.worker)
            if turn < 4:
                sealed = asyncio.create_task(anchored(quiet, tenant, written // 2 + 1))
                while not sealed.done():
                    await made(process, tenant, f"C {written}")
                    written += 1
                await sealed
            else:
                await anchored(quiet, tenant, written + 1)
            sealer.kill()
            await sealer.wait()
        async with process.log.unit(tenant) as unit:
            rows = await unit.connection.fetch("SELECT id FROM clients")
            noted = await unit.connection.fetch("SELECT target_id FROM audit_entries WHERE action = 'clients.create'")
            assert isinstance(await unit.get(Client, rows[0]["id"]), Client)
    assert sorted(row["target_id"] for row in noted) == sorted(str(row["id"]) for row in rows)
    found = await verified(quiet, tenant)
    assert found["ok"], found
    assert found["unanchored"] == []
    assert found["entries"] == written + 1
