"""Transactions of a tenant, and of a batch of tenants. The tenant rides with BEGIN: one round trip."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from uuid import UUID

import asyncpg

from crosstie.db.engine import Connection

#: For statements that look up many rows by key: each by its index, planned for the tables as they are. A plan kept from
#: when a partition was empty would walk it whole until statistics come, a minute and 100 000 rows later.
BY_KEY = (
    "SET LOCAL enable_nestloop = on; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
    "; SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_custom_plan"
)
#: For statements that are given the keys of many rows as one array: the rows are found by it and joined in one pass. A
#: nested loop over a partition without statistics, which the planner takes for empty, goes over all keys for each row.
BY_KEYS = (
    "SET LOCAL enable_nestloop = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off"
    "; SET LOCAL plan_cache_mode = force_custom_plan"
)


def begin(tenant_id: UUID) -> str:
    """The text that opens a transaction of one tenant. The id is formatted only from a parsed UUID."""
    if not isinstance(tenant_id, UUID):
        raise TypeError("a tenant is a UUID")
    return f"BEGIN; SELECT set_config('app.tenant', '{tenant_id}', true)"


def begin_batch(tenants: Iterable[UUID]) -> str:
    """The text that opens a transaction of exactly these tenants, for the batching roles."""
    listed = sorted({str(UUID(int=t.int)) for t in tenants})
    return f"BEGIN; SELECT set_config('app.tenants', '{{{','.join(listed)}}}', true)"


@asynccontextmanager
async def of_tenant(pool: asyncpg.Pool, tenant_id: UUID) -> AsyncIterator[Connection]:
    """A transaction of one tenant, committed at the end of the block."""
    async with pool.acquire() as connection, transaction(connection, begin(tenant_id)):
        yield connection


@asynccontextmanager
async def of_tenants(pool: asyncpg.Pool, tenants: Iterable[UUID], settings: str = "") -> AsyncIterator[Connection]:
    """A transaction of a batch of tenants, committed at the end of the block. `settings` may be BY_KEY or BY_KEYS."""
    async with pool.acquire() as connection, transaction(connection, f"{begin_batch(tenants)}; {settings}"):
        yield connection


#: whether the code that runs is inside a transaction: there nothing outside the database is waited for
INSIDE: ContextVar[bool] = ContextVar("inside a transaction", default=False)


@asynccontextmanager
async def transaction(connection: Connection, opening: str = "BEGIN") -> AsyncIterator[None]:
    """A transaction on this connection: committed at the end of the block, rolled back where it raises."""
    await connection.execute(opening)
    before = INSIDE.get()
    INSIDE.set(True)
    try:
        yield
    except BaseException:
        if not connection.is_closed():
            await connection.execute("ROLLBACK")
        raise
    finally:
        INSIDE.set(before)
    await connection.execute("COMMIT")
