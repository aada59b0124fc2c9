"""Rotation of keys while processes serve, and the command that rotates is killed again and again."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import httpx2
import pytest

from crosstie.app import opened
from crosstie.catalog import catalogue
from crosstie.declare.sealed import columns
from crosstie.kit import crypto
from crosstie.log.tables import answer_place
from tests.faults.rig import Note, Rig
from tests.parts.command import Command
from tests.stage import Tenant

FILL = "INSERT INTO idempotency (tenant_id, principal, key, fingerprint, answer) VALUES ($1, $2, $3, $4, $5)"


async def fill(rig: Rig, tenant: Tenant, count: int) -> None:
    """So many sealed answers, so that a rotation takes its time."""
    async with opened(rig.stage.settings, rig.stage.dsns, work=False, name="test") as process:
        await process.vault.load(process.log.app, tenant.id)
        rows = []
        for number in range(count):
            row = {"principal": "filler", "key": number.to_bytes(32, "big")}
            sealed = process.vault.seal(tenant.id, b"x" * 200, "idempotency", "answer", answer_place(row))
            rows.append((tenant.id, row["principal"], row["key"], bytes(32), sealed))
        async with process.log.unit(tenant.id) as unit:
            await unit.connection.executemany(FILL, rows)


async def under(rig: Rig, tenant: Tenant) -> set[Any]:
    """The keys that this tenant's values are sealed under."""
    connection = await rig.stage.superuser()
    found = set()
    for each in columns(catalogue().tables):
        query = (
            f"SELECT DISTINCT substring({each.column} FROM 1 FOR 29) FROM {each.table}"
            f" WHERE tenant_id = $1 AND {each.column} IS NOT NULL"
        )
        found |= {crypto.keyed_by(row[0]) for row in await connection.fetch(query, tenant.id)}
    await connection.close()
    return found


async def run(rig: Rig, kills: int, values: int, note: Note) -> None:
    rig.start("api", "api")
    rig.start("worker", "worker")
    await rig.ready()
    tenant = await rig.tenant()
    await fill(rig, tenant, values)
    command = Command(rig.home)
    stop = asyncio.Event()
    reads: list[int] = []

    async def read(number: int) -> None:
        """A reader of sealed answers: the same request again gets the same bytes."""
        url = rig.urls()[0]
        async with httpx2.AsyncClient(base_url=url, headers={"x-api-key": tenant.key}, timeout=30) as client:
            path, endpoint = "/api/v1/clients", {"url": "https://example.com/", "event_types": ["quote.approved"]}
            key = {"idempotency-key": f"reader {number}"}
            first = await client.post(path, json={"name": "n"}, headers=key)
            made = await client.post("/api/v1/webhook-endpoints", json=endpoint)
            while not stop.is_set():
                again = await client.post(path, json={"name": "n"}, headers=key)
                assert (again.status_code, again.content) == (201, first.content), again.text
                rolled = await client.post(f"/api/v1/webhook-endpoints/{made.json()['id']}/rotate-secret")
                assert rolled.status_code == 200, rolled.text
                reads.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(read(number))
        (before,) = await under(rig, tenant)
        for number in range(kills):
            child = command.start("secrets", "rotate", "--tenant", tenant.slug)
            await rig.until(
                "SELECT count(*) > $2 FROM idempotency i WHERE tenant_id = $1 AND substring(answer FROM 2 FOR 16) ="
                " (SELECT uuid_send(id) FROM data_keys k WHERE k.tenant_id = i.tenant_id AND k.purpose = 'data'"
                "  AND k.id <> $3 ORDER BY made_at DESC LIMIT 1)",
                tenant.id, values * number // (2 * kills), before, seconds=60,
            )  # fmt: skip
            child.send_signal(signal.SIGKILL)
            await asyncio.to_thread(child.communicate)
        assert len(await under(rig, tenant)) > 1, "the rotation was never in the middle"
        done = await asyncio.to_thread(command, "secrets", "rotate", "--tenant", tenant.slug, "-o", "json", seconds=300)
        master = await asyncio.to_thread(command, "secrets", "rotate", "--master", "-o", "json", seconds=300)
        stop.set()
    assert (done.one["left"], done.one["broken"]) == (0, [])
    assert master.one["keys"] >= 2
    assert before not in await under(rig, tenant)
    # the keys that the killed runs made: the last run ended theirs and made no other
    count = await rig.ask("SELECT count(*) FROM data_keys WHERE tenant_id = $1 AND purpose = 'data'", tenant.id)
    assert count == 2
    assert not rig.unexplained()
    assert len(reads) > 20
    note("values", values)
    note("reads without a failure", len(reads))


async def test_a_rotation_that_is_killed_midway_is_ended_by_the_next(rig: Rig, note: Note) -> None:
    await run(rig, kills=2, values=4_000, note=note)


@pytest.mark.proof
async def test_a_rotation_that_is_killed_twenty_times_is_ended_by_the_next(rig: Rig, note: Note) -> None:
    await run(rig, kills=20, values=40_000, note=note)
