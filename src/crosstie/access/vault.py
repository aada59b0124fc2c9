"""The vault: one data key per tenant, wrapped by the master key; values sealed to the place where they live.

The keys of the nil tenant are the installation's own: its root key, from which keys for single purposes are derived,
and a data key for what belongs to no tenant. Keys are unwrapped once and kept in memory; `FRESH` seconds after another
process made one, every process seals with it, and a value under a key that is not known yet has the keys read again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from uuid import UUID

import asyncpg
import sqlalchemy as sa
import structlog

from crosstie.access.master import MASTER, NIL, Masters
from crosstie.db import session
from crosstie.db.engine import Connection
from crosstie.declare.row import Row
from crosstie.declare.sealed import MARK
from crosstie.errors import ConfigurationError, DeclarationError
from crosstie.kit import crypto, ids
from crosstie.kit.crypto import Place, Unsealable

#: seconds for which a process trusts that it knows a tenant's newest key
FRESH = 5.0
#: values that a process seals before it says so; one that is killed leaves at most so many uncounted
COUNTED = 1 << 16
DATA, ROOT = "data", "root"

logger = structlog.get_logger()

data_keys = sa.Table(
    "data_keys",
    Row.metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("purpose", sa.Text, sa.CheckConstraint(f"purpose IN ('{DATA}', '{ROOT}', '{MASTER}')", name="purpose"),
              nullable=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    sa.Column("wrapped_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("made_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("retired_at", sa.DateTime(timezone=True)),
    sa.Column("sealed", sa.BigInteger, nullable=False, server_default="0", comment="Values sealed, about."),
    sa.Index("uq_data_keys_root", "tenant_id", unique=True, postgresql_where=sa.text(f"purpose = '{ROOT}'")),
    info={"reach": "batch", "batch": "SELECT"},
)  # fmt: skip

KEYS = "SELECT tenant_id, id, wrapped FROM data_keys WHERE purpose = 'data' ORDER BY made_at, id"
ADD = (
    "INSERT INTO data_keys (tenant_id, id, purpose, wrapped) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT (tenant_id) WHERE purpose = 'root' DO NOTHING"
)


@dataclass(slots=True)
class Ring:
    """What a process knows of one tenant's keys."""

    newest: UUID
    fresh_until: float
    sealed: int = 0


class Vault:
    """Seals and opens values of tenants. One per process; `opened` makes it."""

    def __init__(self, pool: asyncpg.Pool, masters: Masters) -> None:
        self.masters = masters
        self._pool = pool
        self._known: dict[UUID, bytes] = {}
        self._keys: dict[UUID, bytes] = {}
        self._rings: dict[UUID, Ring] = {}
        self._root = b""
        #: hashes the tokens of API keys
        self.pepper = b""
        #: stamps entries of the audit log
        self.witness = b""

    @classmethod
    async def opened(cls, pool: asyncpg.Pool, masters: Masters) -> Vault:
        """A vault with the installation's own keys, which the first process makes.

        Raises ConfigurationError where the master key is not to be had, or is another one's.
        """
        vault = cls(pool, masters)
        await vault.refresh()
        async with session.of_tenant(pool, NIL) as connection:
            if not await connection.fetchval("SELECT count(*) FROM data_keys WHERE purpose = $1", ROOT):
                await vault.add_key(connection, NIL, ROOT)
                await vault.add_key(connection, NIL)
            (row,) = await connection.fetch("SELECT id, wrapped FROM data_keys WHERE purpose = $1", ROOT)
        try:
            vault._root = vault.unwrap(NIL, row["id"], row["wrapped"])
        except Unsealable as error:
            raise ConfigurationError(f"The installation cannot be opened: {error}.") from error
        vault.pepper, vault.witness = vault.derive("api-keys"), vault.derive("audit-entries")
        return vault

    def derive(self, label: str) -> bytes:
        """A key of the installation for one purpose. It outlives every rotation."""
        return crypto.derive(self._root, label)

    # the tenants' keys

    async def load(self, pool: asyncpg.Pool, tenant_id: UUID) -> None:
        """Have the tenant's newest key at hand; to be called before `seal` and `open`, outside a transaction."""
        if self._due(tenant_id):
            async with session.of_tenant(pool, tenant_id) as connection:
                await self.ready(connection, tenant_id)

    async def ready(self, connection: Connection, tenant_id: UUID) -> None:
        """The same inside a transaction of the tenant, which need not wait for a second connection."""
        if not self._due(tenant_id):
            return
        ring = self._rings.get(tenant_id)
        if ring is not None:
            ring.fresh_until = time.monotonic() + FRESH  # one reads again, the others go on with what they know
            if ring.sealed >= COUNTED:
                counted, ring.sealed = ring.sealed, 0
                await connection.execute(
                    "UPDATE data_keys SET sealed = sealed + $2 WHERE id = $1", ring.newest, counted
                )
        await self._keep(await connection.fetch(KEYS))

    def _due(self, tenant_id: UUID) -> bool:
        ring = self._rings.get(tenant_id)
        return ring is None or ring.fresh_until <= time.monotonic()

    async def load_many(self, pool: asyncpg.Pool, tenants: set[UUID]) -> None:
        """The same for a batch of tenants, on the worker's role."""
        wanted = {tenant_id for tenant_id in tenants if self._due(tenant_id)}
        if not wanted:
            return
        async with session.of_tenants(pool, wanted) as connection:
            rows = await connection.fetch(KEYS)
        await self._keep(rows)

    def doubt(self, tenant_id: UUID) -> None:
        """Have `load` read the tenant's keys again, however fresh they are."""
        if tenant_id in self._rings:
            self._rings[tenant_id].fresh_until = 0.0

    async def know(self, connection: Connection, sealed: Iterable[bytes]) -> None:
        """Have the keys of these values, in a transaction of their tenants: another process may have made one."""
        if any(key_id not in self._keys for key_id in map(crypto.keyed_by, sealed)):
            await self._keep(await connection.fetch(KEYS))

    async def add_key(self, connection: Connection, tenant_id: UUID, purpose: str = DATA) -> UUID:
        """Make a new key of a tenant, inside the caller's transaction; its id."""
        id = ids.uuid7()
        await connection.execute(ADD, tenant_id, id, purpose, self.wrap(tenant_id, id, os.urandom(crypto.KEY)))
        return id

    def wrap(self, tenant_id: UUID, id: UUID, key: bytes) -> bytes:
        """A key sealed under the newest master key."""
        return crypto.wrap(self._known[self.master], key, place_of_key(tenant_id, id))

    def unwrap(self, tenant_id: UUID, id: UUID, wrapped: bytes) -> bytes:
        """The key that `wrap` sealed. Raises Unsealable where no master key that is known fits."""
        try:
            return crypto.unwrap(self._known.__getitem__, wrapped, place_of_key(tenant_id, id))
        except Unsealable as error:
            if crypto.keyed_by(wrapped) in self._known:
                raise
            raise Unsealable(
                f"the keys are wrapped under the master key {crypto.keyed_by(wrapped)}, which is not to be had:"
                " put it back"
            ) from error

    @property
    def master(self) -> UUID:
        """The id of the master key that new keys are wrapped under."""
        return next(iter(self._known))

    async def refresh(self) -> None:
        """Read the master keys again: the operator, or a rotation, may have put a new one in place."""
        found = await self.masters.read(self._pool)
        self._known = {crypto.identify(master): master for master in found}

    async def _keep(self, rows: Sequence[asyncpg.Record]) -> None:
        new = [row for row in rows if row["id"] not in self._keys]
        if any(crypto.keyed_by(row["wrapped"]) not in self._known for row in new):
            await self.refresh()
        for row in new:
            try:
                self._keys[row["id"]] = self.unwrap(row["tenant_id"], row["id"], row["wrapped"])
            except Unsealable as error:  # one tenant's trouble: others in its batch go on
                logger.error("vault.key_lost", tenant_id=str(row["tenant_id"]), key_id=str(row["id"]), error=str(error))
        until = time.monotonic() + FRESH
        for tenant_id, newest in {row["tenant_id"]: row["id"] for row in rows}.items():
            ring = self._rings.get(tenant_id)
            if ring is None or ring.newest != newest:
                self._rings[tenant_id] = Ring(newest, until)
            else:
                ring.fresh_until = until

    # the values

    def seal(self, tenant_id: UUID, plain: bytes, table: str, column: str, row: UUID) -> bytes:
        """Seal a value to its place under the tenant's newest key.

        Raises DeclarationError for an unmarked column, Unsealable where that key cannot be had.
        """
        _check(table, column)
        ring = self._rings[tenant_id]
        if ring.newest not in self._keys:
            raise Unsealable(f"the key {ring.newest} cannot be had")
        ring.sealed += 1
        return crypto.seal(self._keys[ring.newest], ring.newest, plain, Place(tenant_id, table, column, row))

    def open(self, tenant_id: UUID, sealed: bytes, table: str, column: str, row: UUID) -> bytes:
        """Open a value in its place. Raises Unsealable where it was changed or moved, or its key is not known yet."""
        return crypto.open(self._keys.__getitem__, sealed, Place(tenant_id, table, column, row))

    async def unseal(
        self, connection: Connection, tenant_id: UUID, sealed: bytes, table: str, column: str, row: UUID
    ) -> bytes:
        """The same in a transaction of the tenant; a key that another process made meanwhile is read first."""
        await self.know(connection, [sealed])
        return self.open(tenant_id, sealed, table, column, row)


@cache
def _check(table: str, column: str) -> None:
    """A value in a column that rotation does not know of would be lost with its key."""
    found = Row.metadata.tables.get(table)
    if found is None or column not in found.c or MARK not in found.c[column].info:
        raise DeclarationError(f"{table}.{column} is not a sealed column: declare it with declare.sealed.sealed().")


def place_of_key(tenant_id: UUID, id: UUID) -> Place:
    """Where a wrapped key lives."""
    return Place(tenant_id, "data_keys", "wrapped", id)
