"""Moves that time takes: a record whose `due` column is past is moved, with the event that the move emits."""

from __future__ import annotations

import asyncio
from uuid import UUID

import sqlalchemy as sa
import structlog

from crosstie.db.engine import TROUBLE
from crosstie.db.statement import Statement, compiled
from crosstie.declare.machine import Move
from crosstie.declare.resource import Resource
from crosstie.log import change
from crosstie.log.unit import Log

#: seconds between two looks, and records moved in one commit
SWEEP, MOST = 30.0, 100
logger = structlog.get_logger()


class Timed:
    """Takes the moves that are due. Any number of processes may: a record is locked by the one that moves it."""

    def __init__(self, log: Log, every: float = SWEEP) -> None:
        self._every = every
        self._log = log
        self._moves = [
            (resource, move, _due(resource, move))
            for resource in log.catalogue.resources.values()
            for move in (resource.machine.moves if resource.machine else ())
            if move.due is not None
        ]

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._every)
            try:
                for row in await self._log.app.fetch("SELECT id FROM tenant_list() WHERE status = 'active'"):
                    await self.sweep(row["id"])
            except TROUBLE as error:
                logger.warning("timed.failed", error=repr(error))

    async def sweep(self, tenant_id: UUID) -> int:
        """Take what is due for one tenant; answers how many moves that were."""
        total = 0
        for resource, move, due in self._moves:
            while True:
                async with self._log.unit(tenant_id) as unit:
                    rows = await unit.fetch(due, now=unit.now)
                    for row in rows:
                        await change.move(unit, resource, resource.row.view(row), move, {})
                total += len(rows)
                if len(rows) < MOST:
                    break
        return total


def _due(resource: Resource, move: Move) -> Statement:
    assert resource.machine is not None
    assert move.due is not None
    table = resource.row.__table__
    state = table.c[resource.machine.column.key]
    query = (
        sa.select(table)
        .where(table.c[move.due.key] <= sa.bindparam("now", type_=sa.DateTime(timezone=True)))
        .where(sa.or_(*(state == sa.literal_column(f"'{source}'") for source in move.sources)))
        .limit(sa.literal_column(str(MOST)))
        .with_for_update(skip_locked=True)
    )
    return compiled(query)
