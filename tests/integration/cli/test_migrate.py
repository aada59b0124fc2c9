"""`crosstie migrate` while the installation serves, and while somebody holds a lock that it needs."""

from __future__ import annotations

import asyncio

import httpx2

from tests.parts.command import Command
from tests.stage import Stage


async def test_migrate_waits_for_a_lock_in_turns_and_the_api_goes_on(
    command: Command, stage: Stage, client: httpx2.AsyncClient
) -> None:
    connection = await stage.superuser()
    holder = await stage.superuser()
    try:
        await connection.execute("COMMENT ON POLICY tenant ON clients IS 'made to differ'")
        await holder.execute("BEGIN; SELECT count(*) FROM clients")
        migrating = asyncio.create_task(asyncio.to_thread(command, "migrate"))
        slowest = 0.0
        for _ in range(40):
            answer = await client.post("/api/v1/clients", json={"name": "While it migrates"})
            assert answer.status_code == 201, answer.text
            slowest = max(slowest, answer.elapsed.total_seconds())
            await asyncio.sleep(0.1)
        assert not migrating.done()
        assert await _comment(stage) == "made to differ"
        await holder.execute("COMMIT")
        done = await migrating
    finally:
        await holder.close()
        await connection.close()
    assert done.code == 0, done.err
    assert await _comment(stage) != "made to differ"
    assert slowest < 10  # one turn of waiting at most; the lock queue never holds a request for good


async def _comment(stage: Stage) -> str:
    connection = await stage.superuser()
    try:
        found: str = await connection.fetchval(
            "SELECT obj_description(oid, 'pg_policy') FROM pg_policy"
            " WHERE polname = 'tenant' AND polrelid = 'clients'::regclass"
        )
        return found
    finally:
        await connection.close()
