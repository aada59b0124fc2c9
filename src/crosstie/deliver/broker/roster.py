"""The roster: the brokers of the installation, as the settings of its workers name them.

It stands in the database, so that a process can also work on a republication to a broker that only others serve. A
broker that no worker has named for a day is forgotten, with its places in the log: if it comes back, it begins anew.
Deliveries that wait for it are cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import sqlalchemy as sa
import structlog

from crosstie.db import session
from crosstie.db.engine import AWAY
from crosstie.declare.row import Row
from crosstie.deliver.broker.address import Address
from crosstie.kit import text

#: seconds between two looks, and after which a broker that nobody names is given up
BEAT, GONE = 10.0, 86_400.0
#: tenants and deliveries of one statement
TENANTS, MOST = 500, 5_000
#: what cancelled deliveries say
REMOVED = "broker_removed"

brokers = sa.Table(
    "brokers",
    Row.metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("tenants", sa.Text, comment="Slugs, parted by commas; null where it is for all."),
    sa.Column("types", sa.Text, nullable=False, comment="Patterns of the types that go out, parted by commas."),
    sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, comment="When a worker named it last."),
    sa.Column("epoch", sa.Integer, comment="Where it begins in the log."),
    sa.Column("xid", sa.BigInteger),
    sa.Column("held_by", sa.Uuid, comment="The worker that sends to it."),
    sa.Column("held_at", sa.DateTime(timezone=True), comment="When it said so."),
    info={"reach": "closed"},
)
CANCEL = (
    "UPDATE deliveries d SET status = 'cancelled', error_code = $3, due_at = NULL, finished_at = now()"
    " FROM (SELECT d.tenant_id, d.id FROM unnest($1::uuid[], $2::uuid[]) AS w (tenant_id, endpoint_id)"
    " JOIN deliveries d ON d.tenant_id = w.tenant_id AND d.endpoint_id = w.endpoint_id"
    " AND d.status IN ('pending', 'retrying') LIMIT $4 FOR UPDATE OF d SKIP LOCKED) o"
    " WHERE d.tenant_id = o.tenant_id AND d.id = o.id"
)
READ = "SELECT * FROM broker_beat('{}', '{}', '{}')"
WAITING = (
    "SELECT count(*) FROM unnest($1::uuid[], $2::uuid[]) AS w (tenant_id, endpoint_id) JOIN deliveries d"
    " ON d.tenant_id = w.tenant_id AND d.endpoint_id = w.endpoint_id"
    " AND d.status IN ('pending', 'delivering', 'retrying')"
)
#: what a broker has not been given yet, by type
BEHIND = """
SELECT e.type, count(*) AS n FROM places p JOIN events e
    ON e.tenant_id = p.tenant_id AND (e.epoch, e.xid, e.id) > (p.epoch, p.xid, p.id)
  WHERE p.way = $2 AND p.tenant_id = ANY ($1::uuid[]) GROUP BY e.type
"""
logger = structlog.get_logger()


class Roster:
    """What this process knows of the installation's brokers. A worker also says which ones it serves."""

    def __init__(self, pool: asyncpg.Pool, own: Sequence[Address], *, serves: bool) -> None:
        self._pool = pool
        self._own = {address.name: address for address in own}
        self._serves = serves
        #: brokers that only other processes serve
        self.others: tuple[Address, ...] = ()
        #: called when they have changed
        self.changed: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Keep it up to date until cancelled."""
        while True:
            await asyncio.sleep(BEAT)
            try:
                await self.beat()
            except (*AWAY, OSError) as error:
                logger.warning("roster.failed", error=repr(error))

    async def beat(self) -> None:
        """Say what this process serves, hear of the rest, and let go of what nobody serves any more."""
        own = list(self._own.values()) if self._serves else []
        rows = await self._pool.fetch(
            "SELECT * FROM broker_beat($1, $2, $3)",
            [address.name for address in own],
            [None if address.tenants is None else ",".join(sorted(address.tenants)) for address in own],
            [",".join(address.types) for address in own],
        )
        found = {row["name"]: (_address(row), row["age"]) for row in rows if row["name"] not in self._own}
        others = tuple(address for address, age in found.values() if age < GONE)
        if others != self.others:
            self.others = others
            self.changed()
        for address, age in found.values():
            if self._serves and age >= GONE:
                await self._retire(address)

    async def _retire(self, address: Address) -> None:
        count = 0
        for tenants in await self._tenants():
            ways = [address.route(tenant) for tenant in tenants]
            done = MOST
            while done == MOST:
                async with session.of_tenants(self._pool, tenants) as connection:
                    tag = await connection.execute(CANCEL, tenants, ways, REMOVED, MOST)
                done = int(tag.rpartition(" ")[2])
                count += done
        await self._pool.execute("SELECT broker_forget($1)", address.name)
        logger.warning("broker.removed", broker=address.name, cancelled=count)

    async def _tenants(self) -> list[list[Any]]:
        rows = [row["id"] for row in await self._pool.fetch("SELECT id FROM tenant_list()")]
        return [rows[start : start + TENANTS] for start in range(0, len(rows), TENANTS)]

    async def listed(self) -> list[dict[str, Any]]:
        """Every broker that a worker named, with what waits for it."""
        rows = await self._pool.fetch(READ)
        return [await self._shown(row) for row in rows]

    async def _shown(self, row: asyncpg.Record) -> dict[str, Any]:
        address, waiting = _address(row), 0
        wants = text.matcher(address.types)
        for tenants in await self._tenants():
            async with session.of_tenants(self._pool, tenants) as connection:
                waiting += await connection.fetchval(WAITING, tenants, [address.route(tenant) for tenant in tenants])
                behind = await connection.fetch(BEHIND, tenants, address.name)
            waiting += sum(each["n"] for each in behind if wants(each["type"]))
        return {
            "name": row["name"],
            "tenants": row["tenants"] or "*",
            "types": row["types"],
            "seen_at": row["seen_at"],
            "served": row["age"] < 3 * BEAT,
            "waiting": waiting,
        }

    async def forget(self, name: str) -> bool:
        """Cancel what waits for a broker; whether there was one. A worker that serves it names it again."""
        for row in await self._pool.fetch(READ):
            if row["name"] == name:
                await self._retire(_address(row))
                return True
        return False


def _address(row: asyncpg.Record) -> Address:
    tenants = None if row["tenants"] is None else frozenset(row["tenants"].split(","))
    return Address("", "", row["name"], tenants, tuple(row["types"].split(",")))
