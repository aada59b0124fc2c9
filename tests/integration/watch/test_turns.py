"""One looks for all: whose turn it is, and what keeps two looks at one tenant apart."""

from __future__ import annotations

import asyncio
import secrets

import asyncpg

from crosstie.app import opened
from crosstie.watch import health
from tests.stage import Stage


async def test_a_turn_is_one_process_s(stage: Stage) -> None:
    name = secrets.token_hex(6)
    connections = [await asyncpg.connect(stage.cluster.worker) for _ in range(5)]
    asked = [each.fetchval("SELECT take_turn($1, 3600)", name) for each in connections]
    assert sorted(await asyncio.gather(*asked)) == [False] * 4 + [True]
    first, second = connections[:2]
    assert not await first.fetchval("SELECT take_turn($1, 0)", name)  # not before it is due
    other = secrets.token_hex(6)
    assert await first.fetchval("SELECT take_turn($1, 0)", other)
    assert await second.fetchval("SELECT take_turn($1, 0)", other)  # it was due again at once
    for each in connections:
        await each.close()


async def test_a_tenant_that_is_looked_at_is_left_to_who_looks(stage: Stage) -> None:
    tenant = await stage.tenant()
    async with opened(stage.settings, stage.dsns, work=False, name="test") as process:
        async with process.log.unit(tenant.id) as unit:
            assert await health.survey(unit) is not None
            async with process.log.unit(tenant.id) as other:
                assert await health.survey(other) is None
        async with process.log.unit(tenant.id) as unit:
            assert await health.survey(unit) is not None
