"""Rotation of keys while processes serve, and the command that rotates is killed again and again."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from crosstie.app import opened
from crosstie.catalog import catalogue
from crosstie.declare.sealed import columns
from crosstie.kit import crypto
from crosstie.log.tables import answer_place
from tests.faults.rig import Note, Rig
from tests.parts.command import Command
from tests.stage import Tenant, calling

FILL = "INSERT INTO idempotency (tenant_id, principal, key, fingerprint, answer) VALUES ($1, $2, $3, $4, $5)"
#: who seals one of these values anew asks for the lock of its number first, and waits where somebody has it
GATES = """
CREATE OR REPLACE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$ BEGIN
  PERFORM pg_advisory_xact_lock_shared(4711, ('x' || encode(substring(NEW.key FROM 29), 'hex'))::bit(32)::int);
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER gate BEFORE UPDATE ON idempotency FOR EACH ROW WHEN (NEW.principal = 'filler')
  EXECUTE FUNCTION gate()
"""
AT_GATE = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 4711 AND NOT granted)"
NOBODY = "SELECT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 4711)"


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


@asynccontextmanager
async def gated(rig: Rig) -> AsyncIterator[asyncpg.Connection]:
    """With gates before all values, open until somebody takes their locks; whose connection answers."""
    guard = await rig.stage.superuser()
    await guard.execute(GATES)
    try:
        yield guard
    finally:
        await guard.execute("DROP FUNCTION gate CASCADE")
        await guard.close()


async def cut(rig: Rig, guard: asyncpg.Connection, command: Command, value: int, *words: str) -> None:
    """Begin a rotation, and kill it where it stands before this value: until then it cannot go on."""
    await guard.execute("SELECT pg_advisory_lock(4711, $1)", value)
    child = command.begin(*words)
    await rig.until(AT_GATE, seconds=120)
    assert child.poll() is None
    child.send_signal(signal.SIGKILL)
    await asyncio.to_thread(child.wait)
    await guard.execute("SELECT pg_advisory_unlock(4711, $1)", value)
    await rig.until(NOBODY, seconds=120)  # the database has noticed


async def run(rig: Rig, kills: int, values: int, note: Note) -> None:
    for name in ("api", "other"):  # a worker would end by itself what was cut off, before the next command may
        rig.start(name, "api")
    await rig.ready()
    tenant = await rig.tenant()
    await fill(rig, tenant, values)
    command, rotate = Command(rig.home), ("secrets", "rotate", "--tenant", tenant.slug)
    stop = asyncio.Event()
    reads: list[int] = []

    async def read(number: int) -> None:
        """A reader of sealed answers: the same request again gets the same bytes."""
        async with calling(rig.urls()[number % 2], headers={"x-api-key": tenant.key}) as client:
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
                await asyncio.sleep(0.02)

    async with gated(rig) as guard, asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(read(number))
        (before,) = await under(rig, tenant)
        for number in range(kills):
            await cut(rig, guard, command, values * (number + 1) // (2 * kills), *rotate)
        assert len(await under(rig, tenant)) > 1, "the rotation was never in the middle"
        done = await asyncio.to_thread(command, *rotate, "-o", "json", seconds=300)
        rig.start("worker", "worker")
        await rig.ready("worker")
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
