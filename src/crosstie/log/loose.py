"""Files that no record owns any more: a deletion leaves a row, and the file goes after the commit."""

from __future__ import annotations

import asyncio
from uuid import UUID

import sqlalchemy as sa
import structlog

from crosstie.db import session
from crosstie.db.engine import TROUBLE
from crosstie.db.statement import Statement
from crosstie.declare.row import Row
from crosstie.kit import ids
from crosstie.kit.blob import Blobs
from crosstie.log.unit import Log, Unit

#: seconds between two looks, and files taken away between them
SWEEP, MOST = 30.0, 500
logger = structlog.get_logger()

loose_files = sa.Table(
    "loose_files",
    Row.metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("blob", sa.Text, nullable=False),
)
NOTE = Statement("INSERT INTO loose_files (tenant_id, id, blob) VALUES ($1::uuid, $2::uuid, $3::text)", "123")


def loosen(unit: Unit, blob: str) -> None:
    """Say, with the commit, that nobody owns a file any more."""
    if blob:  # that of an erased record is gone already
        unit.write(NOTE, [unit.tenant_id, ids.uuid7(), blob])


class Broom:
    """Takes loose files away. Any number of processes may: a file that is gone already is fine."""

    def __init__(self, log: Log, blobs: Blobs, every: float = SWEEP) -> None:
        self._every = every
        self._log = log
        self._blobs = blobs

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._every)
            try:
                for row in await self._log.app.fetch("SELECT tenant_id FROM loose_tenants($1)", MOST):
                    await self.sweep(row["tenant_id"])
            except TROUBLE as error:
                logger.warning("loose.failed", error=repr(error))

    async def sweep(self, tenant_id: UUID) -> int:
        """Take away what is loose of one tenant; answers how many files that were. Raises Away."""
        async with session.of_tenant(self._log.app, tenant_id) as connection:
            rows = await connection.fetch("SELECT id, blob FROM loose_files ORDER BY id LIMIT $1", MOST)
        done = []
        try:
            for row in rows:
                await self._blobs.drop(row["blob"])
                done.append(row["id"])
        finally:
            if done:
                async with session.of_tenant(self._log.app, tenant_id) as connection:
                    await connection.execute("DELETE FROM loose_files WHERE id = ANY ($1)", done)
        return len(done)
