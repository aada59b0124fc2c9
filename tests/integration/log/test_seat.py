"""The seat of ingest: one round trip a batch, exactly the tenants of each, back again after its connection was lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import asyncpg
import pytest

from crosstie.db import engine
from crosstie.db.seat import Seat
from tests.stage import Stage

SEEN = "SELECT DISTINCT tenant_id FROM route_versions"
WRITE = "INSERT INTO route_versions (tenant_id, version) VALUES ($1, 1) ON CONFLICT DO NOTHING"


@pytest.fixture
async def seat(stage: Stage) -> AsyncIterator[Seat]:
    """A seat on the worker's role, as ingest has it."""
    found = Seat(partial(engine.connect, stage.dsns.worker, name="seat"))
    yield found
    await found.close()


async def test_each_statement_sees_exactly_its_tenants(seat: Seat, stage: Stage) -> None:
    one, two = [(await stage.tenant()).id for _ in range(2)]
    for tenants in ({one, two}, {one}, {two}, {one, two}, set()):
        for tenant in tenants:
            await seat.fetch(frozenset(tenants), WRITE, tenant)
        seen = await seat.fetch(frozenset(tenants), SEEN)
        assert {row["tenant_id"] for row in seen} == tenants


async def test_a_write_for_another_tenant_is_refused(seat: Seat, stage: Stage) -> None:
    one, two = [(await stage.tenant()).id for _ in range(2)]
    await seat.fetch(frozenset({one, two}), WRITE, one)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await seat.fetch(frozenset({one}), WRITE, two)
    assert [row["tenant_id"] for row in await seat.fetch(frozenset({one}), SEEN)] == [one], "and it goes on"


async def test_a_lost_connection_is_opened_again_with_the_right_tenants(seat: Seat, stage: Stage) -> None:
    tenant = (await stage.tenant()).id
    await seat.fetch(frozenset({tenant}), WRITE, tenant)
    ((pid,),) = await seat.fetch(frozenset({tenant}), "SELECT pg_backend_pid()")
    superuser = await stage.superuser()
    await superuser.execute("SELECT pg_terminate_backend($1, 5000)", pid)
    await superuser.close()
    for _ in range(2):  # the loss may be heard of only by asking
        try:
            seen = await seat.fetch(frozenset({tenant}), SEEN)
            break
        except engine.AWAY:
            continue
    assert [row["tenant_id"] for row in seen] == [tenant]
