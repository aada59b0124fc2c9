"""Migrations: the tables by Alembic, then rights, policies and functions brought to what is declared.

One migrator at a time (advisory lock). Locks are waited for briefly and asked for again, so that servers go on working;
the previous version's servers work on the new schema, since steps only add until a later release takes away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Sequence

import asyncpg
import sqlalchemy as sa
import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from crosstie.db import policies
from crosstie.db.policies import Policy, Roles
from crosstie.db.revision import folder

LOCK = 7_225_318_421
LOCK_TIMEOUT, TRIES = "3s", 40
logger = structlog.get_logger()


def config(connection: sa.Connection | None = None) -> Config:
    """Alembic's settings."""
    found = Config()
    found.set_main_option("script_location", str(folder()).replace("%", "%%"))
    found.attributes["connection"] = connection
    return found


async def migrate(owner_dsn: str, tables: Sequence[sa.Table], functions: str, roles: Roles) -> None:
    """Bring the database to this version."""
    guard = await asyncpg.connect(owner_dsn)
    try:
        await guard.execute("SELECT pg_advisory_lock($1)", LOCK)
        await _retried(lambda: upgrade(owner_dsn))
        await reconcile(guard, tables, functions, roles)
    finally:
        await guard.close()


async def _retried(step: object) -> None:
    for attempt in range(TRIES):
        try:
            await step()  # type: ignore[operator]
            return
        except (sa.exc.DBAPIError, asyncpg.LockNotAvailableError) as error:
            if "lock timeout" not in str(error) or attempt == TRIES - 1:
                raise
            logger.info("migrate.waiting_for_lock", attempt=attempt + 1)
            await asyncio.sleep(0.5)


async def upgrade(owner_dsn: str) -> None:
    """Run the migrations that are missing."""
    url = sa.make_url(owner_dsn).set(drivername="postgresql+asyncpg")
    settings = {"lock_timeout": LOCK_TIMEOUT, "statement_timeout": "600s", "application_name": "crosstie migrate"}
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"server_settings": settings})
    async with engine.connect() as connection:
        await connection.run_sync(lambda sync: command.upgrade(config(sync), "head"))
        await connection.commit()
    await engine.dispose()


async def reconcile(connection: asyncpg.Connection, tables: Sequence[sa.Table], functions: str, roles: Roles) -> None:
    """Make rights, policies and functions equal to the declarations. Nothing is touched that is right already."""
    have = {
        (row["tablename"], row["policyname"]): row["words"]
        for row in await connection.fetch(
            "SELECT tablename, policyname, obj_description(p.oid, 'pg_policy') AS words FROM pg_policies"
            " JOIN pg_policy p ON p.polname = policyname"
            " AND p.polrelid = format('%I.%I', schemaname, tablename)::regclass"
            " WHERE schemaname = 'public'"
        )
    }
    flags = {
        row["relname"]: row["forced"]
        for row in await connection.fetch(
            "SELECT relname, relrowsecurity AND relforcerowsecurity AS forced FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        )
    }
    wanted: set[tuple[str, str]] = set()
    statements = [
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA public TO {roles.app}, {roles.worker}",
    ]
    for table in tables:
        if not flags.get(table.name):
            statements.append(f"ALTER TABLE {table.name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        for policy in policies.policies(table, roles):
            wanted.add((policy.table, policy.name))
            if have.get((policy.table, policy.name)) != policy.digest():
                statements += [f"DROP POLICY IF EXISTS {policy.name} ON {policy.table}", policy.sql(), policy.comment()]
        statements += policies.grants(table, roles)
    declared = {table.name for table in tables}
    statements += [
        f"DROP POLICY {name} ON {table}" for table, name in have if table in declared and (table, name) not in wanted
    ]
    statements += await _partitions(connection, have.keys(), roles)
    statements += policies.definers(functions, roles)
    for attempt in range(TRIES):
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                for statement in statements:
                    await connection.execute(statement)
            return
        except asyncpg.LockNotAvailableError:
            if attempt == TRIES - 1:
                raise
            await asyncio.sleep(0.5)


async def _partitions(connection: asyncpg.Connection, have: Container[tuple[str, str]], roles: Roles) -> list[str]:
    """What gives the owner its way into every partition: a backup reads each by itself, under its own policies."""
    rows = await connection.fetch(
        "SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
    )
    missing = [row["name"] for row in rows if (row["name"], "owner") not in have]
    return [Policy(name, "owner", roles.owner, policies.OWNER).sql() for name in missing]
