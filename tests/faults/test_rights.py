"""Rights: what the catalogue of the database says equals the declarations, and whoever changes it is seen."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import pytest

from crosstie.app import functions, opened
from crosstie.catalog import catalogue
from crosstie.db import engine, session
from crosstie.errors import ConfigurationError
from tests.faults.rig import Rig
from tests.faults.rights import findings

#: unique over all tenants on purpose
REVIEWED = ("uq_tenants_slug", "uq_tenant_domains_domain")


@pytest.fixture
async def behind(rig: Rig) -> AsyncIterator[asyncpg.Connection]:
    """A connection past row-level security, in a transaction that is rolled back; nobody serves, and waits for it."""
    connection = await rig.stage.superuser()
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


async def look(connection: asyncpg.Connection) -> list[str]:
    return await findings(connection, catalogue().tables, functions(), REVIEWED)


async def test_rights_are_as_declared(behind: asyncpg.Connection) -> None:
    assert not await look(behind)


SABOTAGE = {
    "a policy dropped": "DROP POLICY tenant ON jobs",
    "a policy that is true": "ALTER POLICY tenant ON jobs USING (true)",
    "what is written unchecked": "ALTER POLICY tenant ON jobs WITH CHECK (true)",
    "a policy for everybody": "ALTER POLICY tenant ON jobs TO PUBLIC",
    "one policy more": "CREATE POLICY extra ON jobs TO crosstie_app USING (title <> '')",
    "force removed": "ALTER TABLE jobs NO FORCE ROW LEVEL SECURITY",
    "security off": "ALTER TABLE jobs DISABLE ROW LEVEL SECURITY",
    "a partition open": "ALTER TABLE events_default DISABLE ROW LEVEL SECURITY",
    "a partition granted": "GRANT SELECT ON inbox_3 TO crosstie_app",
    "truncate": "GRANT TRUNCATE ON jobs TO crosstie_app",
    "a closed table": "GRANT SELECT ON workers TO crosstie_worker",
    "a column more": "GRANT UPDATE (type) ON events TO crosstie_app",
    "a right less": "REVOKE INSERT ON jobs FROM crosstie_app",
    "a right for everybody": "GRANT SELECT ON jobs TO PUBLIC",
    "a view": "CREATE VIEW spy AS SELECT * FROM jobs; GRANT SELECT ON spy TO crosstie_app",
    "a copy": "CREATE MATERIALIZED VIEW spy AS SELECT * FROM jobs; GRANT SELECT ON spy TO crosstie_app",
    "a table of nobody": "CREATE TABLE spy (id int)",
    "a definer for the wrong role": "GRANT EXECUTE ON FUNCTION due_queues(int) TO crosstie_app",
    "a definer for everybody": "GRANT EXECUTE ON FUNCTION due_queues(int) TO PUBLIC",
    "a definer that can be led astray": "ALTER FUNCTION due_queues(int) RESET search_path",
    "a key over all tenants": "CREATE UNIQUE INDEX spy ON jobs (reference)",
    "a reference across tenants": "ALTER TABLE jobs ADD UNIQUE (tenant_id, id, client_id),"
    " ADD UNIQUE (id); ALTER TABLE jobs ADD CONSTRAINT spy FOREIGN KEY (site_id) REFERENCES jobs (id)",
    "a role above": "ALTER ROLE crosstie_app BYPASSRLS",
    "a role within": "GRANT crosstie_owner TO crosstie_app",
    "an owner that serves": "GRANT CREATE ON SCHEMA public TO crosstie_app; ALTER TABLE jobs OWNER TO crosstie_app",
}


@pytest.mark.parametrize("name", SABOTAGE)
async def test_whoever_widens_a_right_is_seen(behind: asyncpg.Connection, name: str) -> None:
    await behind.execute(SABOTAGE[name])
    assert await look(behind)


@pytest.mark.parametrize("words", ["is superuser", "owns tables", "bypasses row-level security"])
@pytest.mark.parametrize("place", ["app", "worker"])
async def test_nobody_serves_with_a_role_that_may_more(cluster: Rig, words: str, place: str) -> None:
    stage = cluster.stage
    superuser = await stage.superuser()
    await superuser.execute(
        "DROP ROLE IF EXISTS spy; CREATE ROLE spy LOGIN BYPASSRLS PASSWORD 'spy' IN ROLE crosstie_app"
    )
    try:
        spy = urlsplit(stage.cluster.app)
        dsns = {
            "is superuser": stage.cluster.superuser,
            "owns tables": stage.cluster.owner,
            "bypasses row-level security": spy._replace(netloc=f"spy:spy@{spy.netloc.rpartition('@')[2]}").geturl(),
        }
        with pytest.raises(ConfigurationError, match=words):
            async with opened(stage.settings, replace(stage.dsns, **{place: dsns[words]}), work=False, name="spy"):
                pass
    finally:
        await superuser.execute("DROP ROLE spy")
        await superuser.close()


async def test_a_borrowed_connection_knows_its_borrowers_tenant_and_no_other(cluster: Rig) -> None:
    """1 000 borrowings of two connections, many of which end by an exception or a cancellation."""
    pool = await engine.pool(cluster.stage.cluster.app, size=2, name="borrowers")
    dice = random.Random(4)
    ends: Counter[str] = Counter()

    async def borrow(tenant: UUID, end: str) -> None:
        async with session.of_tenant(pool, tenant) as connection:
            assert await connection.fetchval("SELECT current_setting('app.tenant')") == str(tenant)
            if end == "cancelled":
                await connection.fetchval("SELECT pg_sleep(10)")
            if end == "raised":
                raise ValueError(end)
            if end == "refused":
                await connection.execute("SELECT 1/0")

    async def once() -> None:
        end = dice.choice(("fine", "raised", "refused", "cancelled"))
        ends[end] += 1
        with suppress(ValueError, asyncpg.DivisionByZeroError, TimeoutError):
            async with asyncio.timeout(dice.uniform(0.001, 0.02) if end == "cancelled" else 20):
                await borrow(uuid4(), end)
        left = await pool.fetchval("SELECT nullif(current_setting('app.tenant', true), '')")
        assert left is None

    for _ in range(100):
        await asyncio.gather(*(once() for _ in range(10)))
    await pool.close()
    assert min(ends.values()) > 200
