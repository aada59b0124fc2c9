"""Rotation of keys, while everything goes on working.

A tenant's data key: a new one is made, and every process seals with it within seconds; then every value under an older
one is sealed anew, in small transactions that step over rows in use. Readers are never in the way: they see the old
value or the new one, and open both. An older key is retired when nothing is under it any more, and dropped a day later,
after another look. The master key: a new one comes first, then every key that a former one wrapped is wrapped anew.
Whatever is cut off is found again, for what is left to do is seen in the rows themselves.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from uuid import UUID

import asyncpg
import structlog

from crosstie.access.master import MASTER, NIL
from crosstie.access.vault import DATA, FRESH, ROOT, Vault
from crosstie.db import session
from crosstie.db.engine import TROUBLE, Connection
from crosstie.declare.sealed import Sealed
from crosstie.errors import CrosstieError
from crosstie.kit.crypto import Unsealable
from crosstie.log.unit import Log

#: how old a key gets
AGE = timedelta(days=90)
#: seals after which a key is replaced whatever its age, half of what NIST SP 800-38D §8.3 allows
MOST = 1 << 31
#: an older key is retired when the newest was known everywhere for longer than any transaction lasts …
SETTLED = timedelta(minutes=2)
#: … and dropped after another day
KEPT = timedelta(days=1)
#: rows sealed anew in one transaction
STEP = 200
EVERY = 30.0
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('crosstie.keys.' || $1, 0))"

logger = structlog.get_logger()


@dataclass(slots=True)
class Tally:
    """What a rotation did."""

    tenants: int = 0
    keys: int = 0
    values: int = 0
    #: what is still under older keys: rows that were in use
    left: int = 0
    #: values that do not open: changed or moved by somebody
    broken: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Column:
    """The statements of one sealed column."""

    of: Sealed

    @property
    def _key(self) -> str:
        return ", ".join(f'"{name}"' for name in self.of.key)

    def _older(self, first: int) -> str:
        """Rows that the keys in this parameter do not open."""
        return f"{self.of.column} IS NOT NULL AND substring({self.of.column} FROM 2 FOR 16) <> ${first}"

    def count(self) -> str:
        """How many values are not under the key $1."""
        return f"SELECT count(*) FROM {self.of.table} WHERE {self._older(1)}"  # noqa: S608  # names of declared columns

    def step(self, *, first: bool) -> str:
        """The next rows that are not under the key $1, after the row with the key $2 …"""
        numbers = ", ".join(f"${n + 2}" for n in range(len(self.of.key)))
        after = "" if first else f" AND ({self._key}) > ({numbers})"
        return (
            f"SELECT {self._key}, {self.of.column} AS sealed FROM {self.of.table} WHERE {self._older(1)}{after}"  # noqa: S608  # as above
            f" ORDER BY {self._key} LIMIT {STEP} FOR UPDATE SKIP LOCKED"
        )

    def write(self) -> str:
        """The value of one row."""
        keys = " AND ".join(f'"{name}" = ${n + 2}' for n, name in enumerate(self.of.key))
        return f"UPDATE {self.of.table} SET {self.of.column} = $1 WHERE {keys}"  # noqa: S608  # as above


class Rotation:
    """Rotates keys when they are due, and when it is told to. Any number of processes may."""

    def __init__(self, log: Log, vault: Vault, every: float = EVERY) -> None:
        self._log = log
        self._vault = vault
        self._every = every

    @cached_property
    def _columns(self) -> Sequence[Column]:
        return [Column(sealed) for sealed in self._log.catalogue.sealed]

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.keep()
            except (*TROUBLE, Unsealable, CrosstieError) as error:
                logger.warning("rotation.failed", error=repr(error))

    async def keep(self) -> Tally:
        """Do what is due."""
        await self._vault.refresh()
        tally = Tally()
        if self._vault.masters.automatic and await self._aged():
            await self.renew_master()
        await self.wrap_all()
        if self._vault.masters.automatic:
            await self._vault.masters.retire(self._log.app)
        for row in await self._log.app.fetch("SELECT tenant_id FROM keys_due($1, $2, $3)", AGE, MOST, KEPT):
            tally.tenants += 1
            tally.keys += await self.begin(row["tenant_id"], older=AGE)
            await self.sweep(row["tenant_id"], tally)
            await self.settle(row["tenant_id"])
        return tally

    # data keys

    async def rotate(self, tenants: Sequence[UUID]) -> Tally:
        """Give each of these tenants a new data key and seal everything anew under it; one that was begun is ended."""
        tally = Tally(tenants=len(tenants))
        for tenant_id in tenants:
            tally.keys += await self.begin(tenant_id)
        for tenant_id in tenants:
            await self.sweep(tenant_id, tally)
        if tally.keys:
            await asyncio.sleep(FRESH + 1)  # until then another process may seal under the older key
        for tenant_id in tenants:
            await self.sweep(tenant_id, tally)
            await self.settle(tenant_id)
            tally.left += await self.left(tenant_id)
        return tally

    async def begin(self, tenant_id: UUID, older: timedelta = timedelta()) -> bool:
        """A new data key, unless the newest is younger than that, or a rotation is still under way."""
        await self._vault.refresh()
        async with session.of_tenant(self._log.app, tenant_id) as connection:
            await connection.execute(LOCK, str(tenant_id))
            row = await connection.fetchrow(
                "SELECT made_at <= now() - $1::interval OR sealed > $2 AS due, made_at > now() - $3::interval AS young"
                " FROM data_keys WHERE purpose = $4 ORDER BY made_at DESC, id DESC LIMIT 1",
                older, MOST, KEPT, DATA,
            )  # fmt: skip
            if row is not None and (not row["due"] or (row["young"] and await self._count(connection))):
                return False
            id = await self._vault.add_key(connection, tenant_id)
        logger.info("rotation.begun", tenant_id=str(tenant_id), key_id=str(id))
        return True

    async def sweep(self, tenant_id: UUID, tally: Tally) -> None:
        """Seal anew what is under older keys."""
        self._vault.doubt(tenant_id)
        await self._vault.load(self._log.app, tenant_id)
        for column in self._columns:
            last: tuple[object, ...] = ()
            while True:
                began = time.monotonic()
                async with session.of_tenant(self._log.app, tenant_id) as connection:
                    newest = await self._newest(connection)
                    query = column.step(first=not last)
                    rows = await connection.fetch(query, newest.bytes, *last)
                    await self._anew(connection, tenant_id, column, rows, tally)
                if len(rows) < STEP:
                    break
                last = tuple(rows[-1][name] for name in column.of.key)
                await asyncio.sleep(time.monotonic() - began)  # as long as it took: others work here, too

    async def _anew(
        self, connection: Connection, tenant_id: UUID, column: Column, rows: Sequence[asyncpg.Record], tally: Tally
    ) -> None:
        written = []
        place = column.of
        for row in rows:
            id = place.place(dict(row))
            try:
                plain = await self._vault.unseal(connection, tenant_id, row["sealed"], place.table, place.column, id)
                sealed = self._vault.seal(tenant_id, plain, place.table, place.column, id)
            except Unsealable as error:
                tally.broken.append(f"{place.table}.{place.column} {id}: {error}")
                logger.error("rotation.unsealable", tenant_id=str(tenant_id), place=tally.broken[-1])
                continue
            written.append((sealed, *(row[name] for name in place.key)))
        if written:
            await connection.executemany(column.write(), written)
        tally.values += len(written)

    async def settle(self, tenant_id: UUID) -> None:
        """Retire older keys, and drop those that were retired a day ago; one that a value is still under stays."""
        async with session.of_tenant(self._log.app, tenant_id) as connection:
            newest, left = await self._newest(connection), await self._count(connection)
            if not left:
                await connection.execute(
                    "DELETE FROM data_keys WHERE purpose = $1 AND id <> $2 AND retired_at < now() - $3::interval",
                    DATA, newest, KEPT,
                )  # fmt: skip
            await connection.execute(
                "UPDATE data_keys SET retired_at = now() WHERE purpose = $1 AND id <> $2"
                " AND (retired_at IS NULL OR retired_at < now() - $4::interval)"
                " AND (SELECT made_at FROM data_keys WHERE id = $2) < now() - $3::interval",
                DATA, newest, KEPT if left else SETTLED, KEPT,
            )  # fmt: skip

    async def left(self, tenant_id: UUID) -> int:
        """How many values are under older keys."""
        async with session.of_tenant(self._log.app, tenant_id) as connection:
            return await self._count(connection)

    async def _count(self, connection: Connection) -> int:
        newest = await self._newest(connection)
        return sum([await connection.fetchval(column.count(), newest.bytes) for column in self._columns])

    async def _newest(self, connection: Connection) -> UUID:
        found: UUID = await connection.fetchval(
            "SELECT id FROM data_keys WHERE purpose = $1 ORDER BY made_at DESC, id DESC LIMIT 1", DATA
        )
        return found

    # the master key

    async def renew_master(self) -> None:
        """Make a new master key, unless something is still wrapped under a former one."""
        await self._vault.refresh()
        if not await self._behind():
            await self._vault.masters.renew(self._log.app)
            await self._vault.refresh()

    async def wrap_all(self) -> int:
        """Wrap anew every key that a former master key wrapped; how many those were."""
        count = 0
        for tenant_id in await self._behind():
            async with session.of_tenant(self._log.app, tenant_id) as connection:
                rows = await connection.fetch(
                    "SELECT id, wrapped FROM data_keys WHERE purpose <> $1 AND substring(wrapped FROM 2 FOR 16) <> $2"
                    " FOR UPDATE",
                    MASTER, self._vault.master.bytes,
                )  # fmt: skip
                for row in rows:
                    try:
                        key = self._vault.unwrap(tenant_id, row["id"], row["wrapped"])
                    except Unsealable as error:
                        logger.error("rotation.key_lost", tenant_id=str(tenant_id), error=str(error))
                        continue
                    await connection.execute(
                        "UPDATE data_keys SET wrapped = $2, wrapped_at = now() WHERE id = $1",
                        row["id"], self._vault.wrap(tenant_id, row["id"], key),
                    )  # fmt: skip
                    count += 1
        return count

    async def _behind(self) -> list[UUID]:
        rows = await self._log.app.fetch("SELECT tenant_id FROM keys_behind($1)", self._vault.master)
        return [row["tenant_id"] for row in rows]

    async def _aged(self) -> bool:
        async with session.of_tenant(self._log.app, NIL) as connection:
            aged = await connection.fetchval(
                "SELECT wrapped_at < now() - $1::interval FROM data_keys WHERE purpose = $2", AGE, ROOT
            )
        return bool(aged)
