"""Moves that time takes: a record whose `due` column is past is moved, with the event that the move emits."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from crosstie.db.statement import Statement, compiled
from crosstie.declare.machine import Move
from crosstie.declare.resource import Resource
from crosstie.log import change
from crosstie.log.rounds import Rounds
from crosstie.log.unit import Log

#: records moved in one commit
MOST = 100


class Timed(Rounds):
    """Takes the moves that are due. Any number of processes may: a record is locked by the one that moves it."""

    EVERY = 30.0

    def __init__(self, log: Log, every: float | None = None) -> None:
        super().__init__(log, every)
        self._moves = [
            (resource, move, _due(resource, move))
            for resource in log.catalogue.resources.values()
            for move in (resource.machine.moves if resource.machine else ())
            if move.due is not None
        ]

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
