"""The database and its roles inside a running server."""

from __future__ import annotations

import asyncio
import time

import asyncpg

from crosstie.db.embedded.state import APP, DATABASE, OWNER, SUPERUSER, WORKER, State
from crosstie.errors import CrosstieError

RECOVERY_SECONDS = 300
PLAIN = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION"


async def provide(state: State) -> None:
    """Makes the roles and the database where they are missing (a first start may have been cut at any point)."""
    connection = await _connect(state.dsn(SUPERUSER, "postgres"))
    try:
        there = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
        for role in (OWNER, APP, WORKER):
            if role not in there:
                await connection.execute(f"CREATE ROLE {role} {PLAIN} PASSWORD '{state.passwords[role]}'")
        if not await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
        await connection.execute(f"REVOKE ALL ON DATABASE {DATABASE}, postgres FROM PUBLIC")
        await connection.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO {APP}, {WORKER}")
    finally:
        await connection.close()


async def _connect(dsn: str) -> asyncpg.Connection:
    end = time.monotonic() + RECOVERY_SECONDS
    while True:
        try:
            return await asyncpg.connect(dsn, timeout=30)
        except asyncpg.InvalidPasswordError as error:
            raise CrosstieError("The embedded PostgreSQL does not accept the password kept for it in HOME.") from error
        except asyncpg.CannotConnectNowError:  # one of its processes crashed, and it recovers by itself
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.05)
