"""The weekly partitions of the log: made by whoever comes first, also where rows came before them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from crosstie.app import opened
from crosstie.kit import clock, ids
from crosstie.log.retention import Keeper, week
from tests.stage import Stage, Tenant


async def test_rows_that_came_before_their_partition_move_into_it(stage: Stage, tenant: Tenant) -> None:
    later = clock.now() + timedelta(days=28)
    id = ids.floor(later)
    superuser = await stage.superuser()
    try:
        await superuser.execute(
            "INSERT INTO events (tenant_id, id, epoch, event_id, type, version, at, actor_type, data)"
            " VALUES ($1, $2, 1, 'early', 'job.created', 1, $3, 'system', '{}')",
            tenant.id,
            id,
            later,
        )
        async with opened(stage.settings, stage.dsns, work=False, name="keeper") as process:
            keepers = [Keeper(process.log.worker, stage.settings) for _ in range(3)]
            await asyncio.gather(*(keeper.keep(later) for keeper in keepers))
        where = await superuser.fetchval("SELECT tableoid::regclass::text FROM events WHERE id = $1", id)
    finally:
        await superuser.close()
    assert where == f"events_{week(later):%Y%m%d}"


async def test_the_planner_hears_of_a_partition_that_grew_fast(stage: Stage, tenant: Tenant) -> None:
    """With the figures of an empty partition it would walk a tenant's whole log to find one event."""
    superuser = await stage.superuser()
    try:
        async with opened(stage.settings, stage.dsns, work=False, name="keeper") as process:
            await Keeper(process.log.worker, stage.settings).ahead(clock.now())
            await superuser.execute(
                "INSERT INTO events (tenant_id, id, epoch, event_id, type, version, at, actor_type, data)"
                " SELECT $1, gen_random_uuid(), 1, n::text, 'job.created', 1, now(), 'system', json_build_object('t',"
                " repeat('x', 500)) FROM generate_series(1, 5000) n",
                tenant.id,
            )
            seen = "SELECT coalesce(sum(reltuples), 0) FROM pg_class WHERE relname LIKE 'events_%' AND reltuples > 4000"
            for _ in range(600):  # the stage's own worker may be at it
                await process.log.worker.execute("SELECT partitions_analyze()")
                if await superuser.fetchval(seen):
                    break
                await asyncio.sleep(0.1)
        assert await superuser.fetchval(seen) >= 5000
    finally:
        await superuser.execute("DELETE FROM events WHERE tenant_id = $1 AND event_id ~ '^[0-9]+$'", tenant.id)
        await superuser.close()


async def test_a_partition_of_more_than_half_a_gigabyte_is_looked_at(stage: Stage) -> None:
    superuser = await stage.superuser()
    undone = superuser.transaction()
    try:
        await undone.start()
        await superuser.execute("SELECT pg_advisory_xact_lock(hashtextextended('crosstie.analyze', 0))")
        await superuser.execute("UPDATE pg_class SET relpages = 70000 WHERE relname ~ '^events_[0-9]{8}$'")
        assert await superuser.fetchval("SELECT partitions_analyze()") is not None
    finally:
        await undone.rollback()
        await superuser.close()
