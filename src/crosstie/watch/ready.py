"""Readiness: whether this process can commit, and if not, why."""

from __future__ import annotations

import asyncpg

from crosstie.db.engine import TROUBLE
from crosstie.db.revision import revisions

#: seconds that a connection and each statement may take
PATIENCE = 2.0
LOOK = (
    "SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'on' AS fixed, schema_revision()"
)


async def ready(pool: asyncpg.Pool) -> str | None:
    """None where this process can commit, else why not."""
    try:
        async with pool.acquire(timeout=PATIENCE) as connection:
            (row,) = await connection.fetch(LOOK, timeout=PATIENCE)
            if row["standby"]:
                return "the database is a standby or still recovering"
            if row["fixed"]:
                return "the database takes no writes: it is set to read only"
            if row["schema_revision"] in revisions()[:-1]:  # a later version, unknown here, only adds
                return f"the database is at revision {row['schema_revision']}: run `crosstie migrate`"
            await connection.execute("BEGIN; SELECT pg_current_xact_id(); COMMIT", timeout=PATIENCE)
    except asyncpg.UndefinedFunctionError:
        return "the database is of an older version: run `crosstie migrate`"
    except TimeoutError:
        if pool.get_size() == pool.get_max_size() and not pool.get_idle_size():
            return f"all {pool.get_max_size()} database connections of this process are in use"
        return "the database does not answer"
    except TROUBLE as error:
        return f"the database cannot be reached ({type(error).__name__})"
    return None
