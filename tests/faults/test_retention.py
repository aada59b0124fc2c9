"""Time's work: partitions are there before they are needed and go when they are over; what is owed stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import pytest

from crosstie.app import functions
from crosstie.catalog import catalogue
from crosstie.db import engine, session
from crosstie.db.migrate import migrate
from crosstie.db.policies import Roles
from crosstie.kit import clock, ids
from crosstie.log.append import QUERIES
from crosstie.log.retention import AHEAD, PARENTS, SPAN, Keeper, week
from tests.faults.rig import Rig

NOW = clock.now()
OLD = week(NOW - timedelta(days=200))
KINDS = ("delivered", "pending", "retrying", "dead", "cancelled")
DATABASE = "faults_retention"


@pytest.fixture
async def place(cluster: Rig) -> AsyncIterator[tuple[Keeper, asyncpg.Pool, asyncpg.Connection]]:
    """A database of its own: its keeper, the worker's pool, and a connection that sees everything."""
    dsns = cluster.stage.cluster
    above = await cluster.stage.superuser()
    await above.execute(f"CREATE DATABASE {DATABASE} OWNER crosstie_owner")
    owner, worker, superuser = (_at(dsn) for dsn in (dsns.owner, dsns.worker, dsns.superuser))
    await migrate(owner, catalogue().tables, functions(), Roles())
    pool = await engine.pool(worker, size=4, name="keeper")
    behind = await asyncpg.connect(superuser)
    try:
        yield Keeper(pool, SimpleNamespace(retention_events=90, retention_deliveries=30)), pool, behind
    finally:
        await behind.close()
        await pool.close()
        await above.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
        await above.close()


def _at(dsn: str) -> str:
    return urlsplit(dsn)._replace(path=f"/{DATABASE}").geturl()


async def partitions(behind: asyncpg.Connection) -> set[str]:
    rows = await behind.fetch(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent::regclass::text = ANY ($1)", PARENTS
    )
    return {row[0] for row in rows if not row[0].endswith("_default")}


async def furnish(pool: asyncpg.Pool, behind: asyncpg.Connection, tenant: UUID) -> dict[str, UUID]:
    """An old week: an event with a delivery and an attempt of each kind, and an event that nobody dispatched."""
    for parent in PARENTS:
        suffix, floor = OLD.strftime("%Y%m%d"), ids.floor(OLD)
        await pool.execute("SELECT partition_add($1, $2, $3, $4)", parent, suffix, floor, ids.floor(OLD + SPAN))
    made = {}
    for number, kind in enumerate((*KINDS, "undispatched")):
        id = UUID(int=ids.floor(OLD + timedelta(days=1)).int + number + 1)
        made[kind] = id
        await behind.execute(
            "INSERT INTO events (tenant_id, id, epoch, event_id, type, version, at, actor_type, data)"
            " VALUES ($1, $2, 1, $3, 'job.created', 1, $4, 'system', '{}')",
            tenant, id, kind, OLD,
        )  # fmt: skip
        if kind == "undispatched":
            await behind.execute("INSERT INTO outbox (tenant_id, id) VALUES ($1, $2)", tenant, id)
            continue
        await behind.execute(
            "INSERT INTO deliveries (tenant_id, id, created_at, log_id, event_id, event_type, endpoint_id, sink,"
            " status, attempts, due_at) VALUES ($1, $2, $3, $2, $4, 'job.created', $1, 'webhook', $4, 1,"
            " CASE WHEN $4 IN ('pending', 'retrying') THEN now() END)",
            tenant, id, OLD, kind,
        )  # fmt: skip
        await behind.execute(
            "INSERT INTO attempts (tenant_id, delivery_id, number, started_at, duration_ms) VALUES ($1, $2, 1, $3, 5)",
            tenant, id, OLD,
        )  # fmt: skip
    return made


async def test_partitions_are_made_ahead_and_rows_that_came_before_them_move_in(
    place: tuple[Keeper, asyncpg.Pool, asyncpg.Connection],
) -> None:
    keeper, _, behind = place
    tenant = uuid4()
    await behind.execute(
        "INSERT INTO events (tenant_id, id, epoch, event_id, type, version, at, actor_type, data)"
        " VALUES ($1, $2, 1, 'early', 'job.created', 1, now(), 'system', '{}')",
        tenant, ids.uuid7(),
    )  # fmt: skip
    assert await behind.fetchval("SELECT count(*) FROM events_default") == 1
    await asyncio.gather(keeper.keep(NOW), keeper.keep(NOW))  # two workers, at the same moment
    wanted = {f"{parent}_{week(NOW) + SPAN * step:%Y%m%d}" for parent in PARENTS for step in range(-1, AHEAD)}
    assert await partitions(behind) == wanted
    assert await behind.fetchval("SELECT count(*) FROM events_default") == 0
    row = await behind.fetchval("SELECT tableoid::regclass::text FROM events WHERE tenant_id = $1", tenant)
    assert row == f"events_{week(NOW):%Y%m%d}"


async def test_what_is_over_goes_and_what_is_owed_stays(
    place: tuple[Keeper, asyncpg.Pool, asyncpg.Connection],
) -> None:
    keeper, pool, behind = place
    tenant = uuid4()
    made = await furnish(pool, behind, tenant)
    await keeper.keep(NOW)
    assert not {name for name in await partitions(behind) if name.endswith(f"{OLD:%Y%m%d}")}
    owed = {"pending", "retrying", "dead"}
    kept = "SELECT array_agg(event_id ORDER BY event_id) FROM {} WHERE tenant_id = $1"
    assert set(await behind.fetchval(kept.format("deliveries"), tenant)) == owed
    assert set(await behind.fetchval(kept.format("events"), tenant)) == {*owed, "undispatched"}
    attempts = await behind.fetch("SELECT delivery_id FROM attempts WHERE tenant_id = $1", tenant)
    assert {row[0] for row in attempts} == {made[kind] for kind in owed}
    # and what is pending can still be claimed, with its event
    async with session.of_tenants(pool, {tenant}) as connection:
        rows = await connection.fetch(QUERIES["claim"].text, [tenant], [tenant], [10], uuid4())
    assert {row["event_id"] for row in rows} == {"pending", "retrying"}


async def test_a_drop_waits_briefly_for_a_reader_and_comes_again(
    place: tuple[Keeper, asyncpg.Pool, asyncpg.Connection],
) -> None:
    """Nothing queues for long behind the lock that a drop needs; with the reader gone it succeeds, under load."""
    keeper, pool, behind = place
    tenant = uuid4()
    await furnish(pool, behind, tenant)
    async with behind.transaction():
        await behind.fetch("SELECT * FROM events LIMIT 1")
        with pytest.raises(asyncpg.LockNotAvailableError):  # it does not wait until the reader has gone
            await keeper.keep(NOW)
    written = 0
    done = asyncio.Event()

    async def write() -> None:
        nonlocal written
        while not done.is_set():
            async with session.of_tenants(pool, {tenant}) as connection:
                await connection.execute(
                    "INSERT INTO events (tenant_id, id, epoch, event_id, type, version, at, actor_type, data)"
                    " VALUES ($1, $2, 1, 'load', 'job.created', 1, now(), 'system', '{}')",
                    tenant, ids.uuid7(),
                )  # fmt: skip
            written += 1

    writing = [asyncio.create_task(write()) for _ in range(2)]
    try:
        for _ in range(10):
            try:
                await keeper.keep(NOW)
                break
            except asyncpg.LockNotAvailableError:
                continue
    finally:
        done.set()
        await asyncio.gather(*writing)
    assert not {name for name in await partitions(behind) if name.endswith(f"{OLD:%Y%m%d}")}
    assert await behind.fetchval("SELECT count(*) FROM events WHERE event_id = 'load'") == written > 0
