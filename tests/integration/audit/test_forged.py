"""Forgeries that know the formula of the chain: each is found by one thing alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from crosstie.access import anchor, audit, chain, verify
from crosstie.db import engine
from crosstie.log.event import SYSTEM
from tests.integration.audit.desk import Desk


async def judged(desk: Desk, tenant: UUID | None, *, checkpoints: bool) -> list[tuple[UUID, int, str]]:
    """The faults of a chain, or of all chains, with the checkpoints or without."""
    folder = desk.stage.home / anchor.FOLDER
    keys = anchor.read_keys(folder.glob(anchor.KEYS))
    lines = [line for path in folder.glob(anchor.LINES) for line in path.read_bytes().splitlines() if checkpoints]
    pool = await engine.pool(desk.stage.dsns.app, size=1, name="verify")
    try:
        report = await verify.verify(pool, [tenant] if tenant else None, anchor.read(lines, keys))
    finally:
        await pool.close()
    return [(fault.tenant_id, fault.position, fault.kind) for fault in report.faults]


async def change(desk: Desk, position: int, **values: Any) -> None:
    """Write columns of an entry, and its hash as if they had been sealed."""
    (row,) = [dict(row) for row in await desk.entries() if row["position"] == position]
    row |= values
    content = chain.content(row)
    values |= {"hash": chain.link(row["previous"], position, content), "mark": content[: chain.MARK]}
    for name, value in values.items():
        await desk.superuser.execute(
            f"UPDATE audit_entries SET {name} = $3 WHERE tenant_id = $1 AND position = $2",
            desk.tenant.id, position, value,
        )  # fmt: skip


async def test_a_personal_part_with_a_digest_of_its_own_is_found(desk: Desk) -> None:
    await desk.act("Thandi")
    assert (await desk.sealed())["ok"]
    (entry,) = [row for row in await desk.entries() if row["ip"] is not None]
    for part, value in (("ip", "10.9.9.9"), ("personal", '{"after":{"name":"Sipho"}}')):
        salt = b"s" * chain.SALT
        columns = {part: value, f"{part}_salt": salt, f"{part}_digest": chain.salted(salt, value)}
        for name, each in columns.items():
            await desk.superuser.execute(f"UPDATE audit_entries SET {name} = $2 WHERE id = $1", entry["id"], each)
        place = (desk.tenant.id, entry["position"], "changed")
        assert await judged(desk, desk.tenant.id, checkpoints=False) == [place]
        for name in columns:
            await desk.superuser.execute(
                f"UPDATE audit_entries SET {name} = $2 WHERE id = $1", entry["id"], entry[name]
            )


async def test_without_checkpoints_the_next_entry_tells(desk: Desk) -> None:
    for name in ("One", "Two", "Three"):
        await desk.act(name)
    await desk.sealed()
    await change(desk, 2, actor_id="somebody else")
    assert await judged(desk, desk.tenant.id, checkpoints=False) == [(desk.tenant.id, 2, "changed")]


async def test_a_checkpoint_whose_head_was_written_over_counts_for_nothing(desk: Desk) -> None:
    for name in ("One", "Two"):
        await desk.act(name)
    last = (await desk.sealed())["entries"]
    before = (await desk.entries())[-1]["hash"].hex().encode()
    await change(desk, last, actor_id="somebody else")
    after = (await desk.entries())[-1]["hash"].hex().encode()
    for path in (desk.stage.home / anchor.FOLDER).glob(anchor.LINES):
        path.write_bytes(path.read_bytes().replace(before, after))
    keys = anchor.read_keys((desk.stage.home / anchor.FOLDER).glob(anchor.KEYS))
    lines = [
        line for path in (desk.stage.home / anchor.FOLDER).glob(anchor.LINES) for line in path.read_bytes().splitlines()
    ]
    assert [found for found in anchor.read(lines, keys) if found is None], "its signature does not hold"


async def test_a_tenant_that_is_gone_whole_is_missed(desk: Desk) -> None:
    await desk.act("One")
    await desk.sealed()
    for table in ("audit_entries", "audit_heads", "tenants"):
        await desk.superuser.execute(f"DELETE FROM {table} WHERE tenant_id = $1", desk.tenant.id)
    assert (desk.tenant.id, 1, "truncated") in await judged(desk, None, checkpoints=True)


async def test_an_erasure_that_was_refused_blanks_nothing(desk: Desk) -> None:
    target = await desk.act("Thandi")
    await desk.sealed()
    process = desk.process
    await audit.note(
        process.log.app,
        process.vault,
        desk.tenant.id,
        SYSTEM,
        "clients.erase",
        outcome="denied",
        target=("client", target),
    )
    assert (await desk.sealed())["ok"]
    made, refused = (row for row in await desk.entries() if row["target_id"] == target)
    assert (refused["action"], refused["outcome"]) == ("clients.erase", "denied")
    assert made["personal"] is not None
    await desk.superuser.execute(
        "UPDATE audit_entries SET personal = NULL, personal_salt = NULL WHERE id = $1", made["id"]
    )
    assert await judged(desk, desk.tenant.id, checkpoints=True) == [(desk.tenant.id, made["position"], "changed")]
