"""Whoever has the whole database in hand cannot change the audit log unseen: each tampering is found and located."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest

from crosstie.access import anchor, chain
from crosstie.access.audit import AuditEntry
from tests.fence import until
from tests.integration.audit.reading import verified
from tests.stage import Stage, Tenant

Report = Callable[[], Awaitable[dict[str, Any]]]
#: of every column the change that a superuser makes, on the entry at position 4
CHANGES = {
    "id": "gen_random_uuid()",
    "tenant_id": "gen_random_uuid()",
    "at": "at + interval '1 second'",
    "actor_type": "'user'",
    "actor_id": "'somebody else'",
    "action": "'jobs.create'",
    "target_type": "'job'",
    "target_id": "'another'",
    "outcome": "'denied'",
    "request_id": "NULL",
    "ip": "'10.1.1.1'",
    "ip_salt": "'\\x00'",
    "ip_digest": "'\\x00'",
    "before": """'{"status":"x"}'""",
    "after": "NULL",
    "personal": """'{"after":{"name":"Somebody"}}'""",
    "personal_salt": "'\\x00'",
    "personal_digest": "sha256('x')",
    "previous": "sha256('x')",
    "hash": "sha256('x')",
}


@pytest.fixture
async def superuser(stage: Stage, tenant: Tenant) -> Any:
    """Past every policy and trigger; the test's tenant has a settled chain of ten entries or more."""
    async with tenant.client() as client:
        for number in range(8):
            await client.post("/api/v1/clients", json={"name": f"Client {number}", "phone": "1"})
    connection = await stage.superuser()
    await connection.execute("SET session_replication_role = replica")

    async def settled() -> bool:
        return bool(
            await connection.fetchval(
                "SELECT anchored = position AND position >= 9 AND NOT EXISTS (SELECT FROM audit_pending p"
                " WHERE p.tenant_id = h.tenant_id) FROM audit_heads h WHERE tenant_id = $1",
                tenant.id,
            )
        )

    await until(settled)
    yield connection
    await connection.close()


def places(report: dict[str, Any]) -> list[tuple[int, str]]:
    return [(fault["position"], fault["kind"]) for fault in report["faults"]]


async def last(superuser: asyncpg.Connection, tenant: Tenant) -> int:
    return int(await superuser.fetchval("SELECT max(position) FROM audit_entries WHERE tenant_id = $1", tenant.id))


async def test_what_nobody_touched_is_whole(superuser: asyncpg.Connection, report: Report) -> None:
    found = await report()
    assert found["ok"], found
    assert found["entries"] >= 9
    assert found["unanchored"] == []
    assert found["checkpoints"] >= 1
    assert found["checkpoints_refused"] == 0


def test_every_column_is_tampered_with() -> None:
    # `mark` is but the beginning of the content's digest, kept for the next checkpoint: no reader believes it
    assert {*AuditEntry.__table__.columns.keys()} - CHANGES.keys() == {"mark", "position"}


async def test_a_change_of_any_column_is_found(superuser: asyncpg.Connection, tenant: Tenant, report: Report) -> None:
    four = "FROM audit_entries WHERE tenant_id = $1 AND position = 4"
    id = await superuser.fetchval(f"SELECT id {four}", tenant.id)
    await superuser.execute(f"CREATE TEMP TABLE kept AS SELECT * {four.replace('$1', repr(str(tenant.id)))}")
    for column, value in CHANGES.items():
        await superuser.execute(
            f"UPDATE audit_entries SET {column} = {value} WHERE tenant_id = $1 AND position = 4",
            tenant.id,
        )
        found = await report()
        assert not found["ok"], column
        kind = "missing" if column == "tenant_id" else "changed"
        assert places(found) == [(4, kind)], (column, found["faults"])
        if column not in ("id", "tenant_id"):
            assert found["faults"][0]["entry_id"] == id
        # as it was
        await superuser.execute(f"DELETE {four} OR hash = (SELECT hash FROM kept)", tenant.id)
        await superuser.execute("INSERT INTO audit_entries SELECT * FROM kept")
        assert (await report())["ok"], column


async def test_a_deletion_in_the_middle_is_missing(
    superuser: asyncpg.Connection, tenant: Tenant, report: Report
) -> None:
    await superuser.execute("DELETE FROM audit_entries WHERE tenant_id = $1 AND position IN (3, 6)", tenant.id)
    assert places(await report()) == [(3, "missing"), (6, "missing")]


async def test_a_cut_tail_is_truncated(superuser: asyncpg.Connection, tenant: Tenant, report: Report) -> None:
    end = await last(superuser, tenant)
    await superuser.execute("DELETE FROM audit_entries WHERE tenant_id = $1 AND position > 6", tenant.id)
    found = await report()
    assert places(found) == [(7, "truncated")]
    assert found["faults"][0]["until"] == end


async def test_all_of_it_gone_is_truncated(superuser: asyncpg.Connection, tenant: Tenant, report: Report) -> None:
    for table in ("audit_entries", "audit_heads"):
        await superuser.execute(f"DELETE FROM {table} WHERE tenant_id = $1", tenant.id)
    assert places(await report()) == [(1, "truncated")]


async def test_two_in_each_others_place_are_changed(
    superuser: asyncpg.Connection, tenant: Tenant, report: Report
) -> None:
    for old, new in ((3, -1), (5, 3), (-1, 5)):
        await superuser.execute(
            "UPDATE audit_entries SET position = $3 WHERE tenant_id = $1 AND position = $2", tenant.id, old, new
        )
    assert places(await report()) == [(3, "changed"), (5, "changed")]


async def test_a_position_of_nowhere_is_changed_and_missed(
    superuser: asyncpg.Connection, tenant: Tenant, report: Report
) -> None:
    for nowhere in (-7, 0, 1 << 60):
        await superuser.execute(
            "UPDATE audit_entries SET position = $2 WHERE tenant_id = $1 AND position = 5", tenant.id, nowhere
        )
        assert sorted(places(await report())) == sorted([(5, "missing"), (nowhere, "changed")])
        await superuser.execute(
            "UPDATE audit_entries SET position = 5 WHERE tenant_id = $1 AND position = $2", tenant.id, nowhere
        )


async def rewrite(superuser: asyncpg.Connection, tenant: UUID, since: int = 1) -> None:
    """Chain everything anew, as somebody does who has read the source."""
    rows = await superuser.fetch("SELECT * FROM audit_entries WHERE tenant_id = $1 ORDER BY position", tenant)
    previous = chain.genesis(tenant)
    for position, row in enumerate(rows, 1):
        if position >= since:
            content = chain.content(dict(row))
            hashed = chain.link(previous, position, content)
            await superuser.execute(
                "UPDATE audit_entries SET position = $3, mark = $4, previous = $5, hash = $6"
                " WHERE tenant_id = $1 AND id = $2",
                tenant, row["id"], position, content[: chain.MARK], previous, hashed,
            )  # fmt: skip
            previous = hashed
        else:
            previous = row["hash"]
    await superuser.execute(
        "UPDATE audit_heads SET position = $2, anchored = $2, hash = $3 WHERE tenant_id = $1",
        tenant, len(rows), previous,
    )  # fmt: skip


async def test_a_change_with_its_own_hash_is_found(
    superuser: asyncpg.Connection, tenant: Tenant, report: Report
) -> None:
    row = await superuser.fetchrow("SELECT * FROM audit_entries WHERE tenant_id = $1 AND position = 4", tenant.id)
    assert row is not None
    forged = {**row, "actor_id": "somebody else"}
    hashed = chain.link(row["previous"], 4, chain.content(forged))
    await superuser.execute(
        "UPDATE audit_entries SET actor_id = 'somebody else', hash = $2 WHERE tenant_id = $1 AND position = 4",
        tenant.id,
        hashed,
    )
    assert places(await report()) == [(4, "changed")]


async def test_a_rewritten_chain_is_caught_by_its_checkpoints(
    superuser: asyncpg.Connection, tenant: Tenant, report: Report
) -> None:
    await superuser.execute(
        "UPDATE audit_entries SET actor_id = 'somebody else' WHERE tenant_id = $1 AND position = 4", tenant.id
    )
    await rewrite(superuser, tenant.id)
    assert places(await report()) == [(4, "changed")]


async def test_a_rewritten_chain_without_an_entry_is_caught(
    superuser: asyncpg.Connection, tenant: Tenant, report: Report
) -> None:
    end = await last(superuser, tenant)
    await superuser.execute("DELETE FROM audit_entries WHERE tenant_id = $1 AND position = 4", tenant.id)
    await rewrite(superuser, tenant.id)
    found = places(await report())
    assert found[0] == (4, "changed")
    assert found[-1] == (end, "truncated")


async def test_a_forged_entry_is_found_and_stops_nobody(
    superuser: asyncpg.Connection, tenant: Tenant, client: httpx2.AsyncClient, stage: Stage
) -> None:
    end = await last(superuser, tenant)
    row = await superuser.fetchrow("SELECT * FROM audit_entries WHERE tenant_id = $1 AND position = $2", tenant.id, end)
    assert row is not None
    columns = [name for name in row.keys() if name not in ("id", "position", "previous", "hash")]  # noqa: SIM118
    names = ", ".join(columns)
    await superuser.execute(
        f"INSERT INTO audit_entries (id, position, previous, hash, {names})"
        f" SELECT gen_random_uuid(), position + 1, hash, sha256('forged'), {names} FROM audit_entries"
        " WHERE tenant_id = $1 AND position = $2",
        tenant.id,
        end,
    )
    await client.post("/api/v1/clients", json={"name": "Honest"})

    async def anchored() -> bool:
        return bool(
            await superuser.fetchval("SELECT anchored >= $2 FROM audit_heads WHERE tenant_id = $1", tenant.id, end + 2)
        )

    await until(anchored)
    assert places(await verified(stage, tenant.id)) == [(end + 1, "changed")]


async def test_without_checkpoints_the_unanchored_tail_is_named(
    superuser: asyncpg.Connection, stage: Stage, tenant: Tenant, report: Report
) -> None:
    end = await last(superuser, tenant)
    folder = stage.home / anchor.FOLDER
    files = {path: path.read_bytes() for path in folder.glob(anchor.LINES)}
    own = str(tenant.id).encode()
    try:
        for path, whole in files.items():
            path.write_bytes(b"".join(line for line in whole.splitlines(keepends=True) if own not in line))
        found = await report()
        assert found["ok"]
        assert found["unanchored"] == [{"tenant_id": tenant.id, "since": 1, "until": end}]
    finally:
        for path, whole in files.items():
            path.write_bytes(whole)


async def test_a_checkpoint_that_was_written_by_another_key_is_refused(
    superuser: asyncpg.Connection, stage: Stage, tenant: Tenant, report: Report
) -> None:
    folder = stage.home / anchor.FOLDER
    await superuser.execute("DELETE FROM audit_entries WHERE tenant_id = $1 AND position > 6", tenant.id)
    head = await superuser.fetchval("SELECT hash FROM audit_entries WHERE tenant_id = $1 AND position = 6", tenant.id)
    forger = anchor.Anchors(stage.home / "forged", b"f" * 32)
    at = await superuser.fetchval("SELECT now()")
    await asyncio.to_thread(forger.write, [anchor.Checkpoint(tenant.id, 6, 6, head, b"", at)])
    (forged,) = (stage.home / "forged").glob(anchor.LINES)
    planted = folder / forged.name
    planted.write_bytes(forged.read_bytes())
    try:
        found = await report()
        assert found["checkpoints_refused"] == 1
        assert places(found) == [(7, "truncated")]
    finally:
        planted.unlink()
