"""`crosstie migrate` while the installation serves, and while somebody holds a lock that it needs."""

from __future__ import annotations

import asyncio

import httpx2

from tests.parts.command import Command
from tests.stage import Stage

#: whether somebody stands in the queue for the whole table
WAITING = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'clients'::regclass AND mode = 'AccessExclusiveLock'"
    " AND NOT granted)"
)


async def test_migrate_waits_for_a_lock_in_turns_and_the_api_goes_on(
    command: Command, stage: Stage, client: httpx2.AsyncClient
) -> None:
    connection = await stage.superuser()
    holder = await stage.superuser()
    try:
        await connection.execute("COMMENT ON POLICY tenant ON clients IS 'made to differ'")
        await holder.execute("BEGIN; SELECT count(*) FROM clients")
        migrating = asyncio.create_task(asyncio.to_thread(command, "migrate"))
        turns, stood = 0, False
        while turns < 2:  # a turn is over when it stands in the lock's queue no more
            stands = await connection.fetchval(WAITING)
            turns, stood = turns + (stood and not stands), stands
            answer = await client.post("/api/v1/clients", json={"name": "While it migrates"})
            assert answer.status_code == 201, answer.text
            await asyncio.sleep(0.05)
        assert not migrating.done()
        assert await _comment(stage) == "made to differ"
        await holder.execute("COMMIT")
        done = await migrating
    finally:
        await holder.close()
        await connection.close()
    assert done.code == 0, done.err
    assert await _comment(stage) != "made to differ"


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
