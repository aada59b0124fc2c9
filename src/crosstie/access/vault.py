"""The vault: one data key per tenant, wrapped by the master key; values sealed to the place where they live."""

from __future__ import annotations

import os
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from crosstie.db import session
from crosstie.db.engine import Connection
from crosstie.declare.row import Row
from crosstie.kit import crypto, ids
from crosstie.kit.crypto import Place

data_keys = sa.Table(
    "data_keys",
    Row.metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    sa.Column("made_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    info={"reach": "batch", "batch": "SELECT"},
)


class Vault:
    """Seals and opens values of tenants. Keys are unwrapped once and kept in memory."""

    def __init__(self, master: bytes) -> None:
        self._master = master
        self._master_id = crypto.identify(master)
        self._keys: dict[UUID, bytes] = {}
        self._newest: dict[UUID, UUID] = {}
        self.pepper = crypto.derive(master, "api-keys")

    def derive(self, label: str) -> bytes:
        """A key of the installation for one purpose."""
        return crypto.derive(self._master, label)

    async def load(self, pool: asyncpg.Pool, tenant_id: UUID) -> None:
        """Have the tenant's keys at hand; needed once per process before `seal` and `open`."""
        if tenant_id in self._newest:
            return
        async with session.of_tenant(pool, tenant_id) as connection:
            for row in await connection.fetch("SELECT id, wrapped FROM data_keys ORDER BY id"):
                self._keep(tenant_id, row["id"], row["wrapped"])

    async def load_many(self, pool: asyncpg.Pool, tenants: set[UUID]) -> None:
        """The same for a batch of tenants, on the worker's role."""
        wanted = tenants - self._newest.keys()
        if not wanted:
            return
        async with session.of_tenants(pool, wanted) as connection:
            for row in await connection.fetch("SELECT tenant_id, id, wrapped FROM data_keys ORDER BY id"):
                self._keep(row["tenant_id"], row["id"], row["wrapped"])

    async def add_key(self, connection: Connection, tenant_id: UUID) -> None:
        """Make a new data key of a tenant, inside the caller's transaction."""
        id, key = ids.uuid7(), os.urandom(crypto.KEY)
        wrapped = crypto.wrap(self._master, key, _place_of_key(tenant_id, id))
        await connection.execute(
            "INSERT INTO data_keys (tenant_id, id, wrapped) VALUES ($1, $2, $3)", tenant_id, id, wrapped
        )

    def seal(self, tenant_id: UUID, plain: bytes, table: str, column: str, row: UUID) -> bytes:
        """Seal a value to its place under the tenant's newest key."""
        key_id = self._newest[tenant_id]
        return crypto.seal(self._keys[key_id], key_id, plain, Place(tenant_id, table, column, row))

    def open(self, tenant_id: UUID, sealed: bytes, table: str, column: str, row: UUID) -> bytes:
        """Open a value in its place. Raises Unsealable where it was changed or moved."""
        return crypto.open(self._keys.__getitem__, sealed, Place(tenant_id, table, column, row))

    def _keep(self, tenant_id: UUID, id: UUID, wrapped: bytes) -> None:
        self._keys[id] = crypto.unwrap(self._masters, wrapped, _place_of_key(tenant_id, id))
        self._newest[tenant_id] = id

    def _masters(self, id: UUID) -> bytes:
        if id != self._master_id:
            raise LookupError(f"the master key {id} is not this installation's; restore its file (MASTER_KEY_FILE)")
        return self._master


def _place_of_key(tenant_id: UUID, id: UUID) -> Place:
    return Place(tenant_id, "data_keys", "wrapped", id)
