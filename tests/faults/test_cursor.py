"""The cursor of the log: what commits late is late, but never skipped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import permutations
from uuid import UUID, uuid4

import pytest

from crosstie.app import Process, opened
from crosstie.db import session
from crosstie.kit import clock
from crosstie.log import read
from crosstie.log.append import columns
from crosstie.log.record import APPEND, event
from tests.faults.rig import Rig


@pytest.fixture
async def process(cluster: Rig) -> AsyncIterator[Process]:
    async with opened(cluster.stage.settings, cluster.stage.dsns, work=False, name="reader") as found:
        yield found


async def append(process: Process, tenant: UUID, connection: object, name: str, epoch: int = 1) -> None:
    made = event("job.created", tenant, {"name": name}, ("job", name), clock.now())
    await connection.execute(APPEND, *columns([made], epoch))  # type: ignore[attr-defined]


async def names(process: Process, tenant: UUID, place: read.Cursor, epoch: int = 1) -> tuple[list[str], read.Cursor]:
    """What comes after a place, and the place reached."""
    async with session.of_tenant(process.log.app, tenant) as connection:
        found, place, _ = await read.page(connection, epoch, place, read.Wanted(), 100)
    return [each.subject_id or "" for _, each in found], place


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_whatever_the_order_of_commits_a_reader_gets_everything_once(
    process: Process, order: tuple[int, ...]
) -> None:
    """Three writers begin in turn and commit in every order; the reader looks after each commit."""
    tenant, place, got = uuid4(), read.Cursor(), []
    writers = [AsyncExitStack() for _ in order]
    for number, writer in enumerate(writers):
        connection = await writer.enter_async_context(session.of_tenant(process.log.app, tenant))
        await append(process, tenant, connection, f"e{number}")
    for number in order:
        await writers[number].aclose()
        seen, place = await names(process, tenant, place)
        got += seen
    assert got == ["e0", "e1", "e2"]


async def test_an_open_writer_holds_back_what_was_committed_after_it_began(process: Process) -> None:
    tenant, start = uuid4(), read.Cursor()
    async with session.of_tenant(process.log.app, tenant) as slow:
        await append(process, tenant, slow, "early")
        async with session.of_tenant(process.log.app, tenant) as quick:
            await append(process, tenant, quick, "late")
        assert await names(process, tenant, start) == ([], start)
    assert (await names(process, tenant, start))[0] == ["early", "late"]


async def test_a_new_epoch_goes_on_where_the_old_one_ended(process: Process, cluster: Rig) -> None:
    """After a move to another cluster transactions count from the start again: only the epoch tells what is newer."""
    tenant = uuid4()
    async with session.of_tenant(process.log.app, tenant) as connection:
        await append(process, tenant, connection, "old", epoch=1)
    await cluster.ask("UPDATE events SET xid = xid + 1000000000000 WHERE tenant_id = $1 RETURNING id", tenant)
    assert (await names(process, tenant, read.Cursor(), epoch=1))[0] == [], "of another cluster, and not yet said so"
    seen, place = await names(process, tenant, read.Cursor(), epoch=2)
    assert seen == ["old"]
    async with session.of_tenant(process.log.app, tenant) as connection:
        await append(process, tenant, connection, "new", epoch=2)
    seen, place = await names(process, tenant, place, epoch=2)
    assert seen == ["new"]
    assert (await names(process, tenant, place, epoch=2))[0] == []
