"""A restore says what it took away, and excuses nothing else."""

from __future__ import annotations

from typing import Any

from crosstie.access import restored
from crosstie.access import tenant as tenants
from tests.integration.audit.desk import Desk
from tests.integration.audit.reading import verified

TABLES = ("audit_entries", "audit_heads")


async def lose(desk: Desk, since: int) -> None:
    """The chain as it was when it had fewer entries."""
    await desk.superuser.execute(
        "DELETE FROM audit_entries WHERE tenant_id = $1 AND position >= $2", desk.tenant.id, since
    )
    await desk.superuser.execute(
        "UPDATE audit_heads SET position = $2, anchored = $2, hash = (SELECT hash FROM audit_entries"
        " WHERE tenant_id = $1 AND position = $2) WHERE tenant_id = $1",
        desk.tenant.id,
        since - 1,
    )


async def restore(desk: Desk) -> None:
    """What the command does last."""
    facts = {"backup_made_at": "2026-03-01T00:00:00Z", "epoch": 2}
    await restored.mark(desk.process.log.app, desk.process.vault, desk.anchors, facts)


def places(report: dict[str, Any]) -> list[tuple[int, str]]:
    return [(fault["position"], fault["kind"]) for fault in report["faults"]]


async def grow(desk: Desk, count: int) -> dict[str, Any]:
    for number in range(count):
        await desk.act(f"Client {number}")
    return await desk.sealed()


async def test_what_a_restore_lost_is_told_and_no_fault(desk: Desk) -> None:
    end = (await grow(desk, 5))["entries"]
    late = await tenants.make(desk.process.log.app, desk.process.vault, slug="late", name="Late")
    await grow(desk, 3)
    await lose(desk, end + 1)
    for table in TABLES:
        await desk.superuser.execute(f"DELETE FROM {table} WHERE tenant_id = $1", late)
    await desk.superuser.execute("DELETE FROM tenants WHERE id = $1", late)
    assert places(await desk.sealed()) == [(end + 1, "truncated")], "without the restore's word"
    assert places(await verified(desk.stage, late)) == [(1, "truncated")]

    await restore(desk)
    found = await grow(desk, 2)
    assert found["ok"], found
    (lost,) = found["restored"]
    assert (lost["tenant_id"], lost["since"], lost["until"]) == (desk.tenant.id, end + 1, end + 3)
    entry = (await desk.entries())[end]
    assert (entry["position"], entry["action"], entry["actor_type"]) == (end + 1, "tenants.restore", "operator")
    gone = await verified(desk.stage, late)
    assert (gone["ok"], gone["restored"][0]["since"]) == (True, 1)


async def test_what_is_cut_off_afterwards_or_below_is_found(desk: Desk) -> None:
    end = (await grow(desk, 5))["entries"]
    await grow(desk, 3)
    await lose(desk, end + 1)
    await restore(desk)
    await grow(desk, 2)
    await desk.superuser.execute(
        "CREATE TEMP TABLE kept AS SELECT * FROM audit_entries WHERE tenant_id = $1", desk.tenant.id
    )
    for since in (end + 2, end + 1, end, 2):
        await lose(desk, since)
        found = await desk.sealed()
        assert places(found) == [(since, "truncated")], since
        await desk.superuser.execute("DELETE FROM audit_entries WHERE tenant_id = $1", desk.tenant.id)
        await desk.superuser.execute("INSERT INTO audit_entries SELECT * FROM kept")
        assert (await desk.sealed())["ok"]


async def test_an_entry_below_the_restore_is_still_held_to_its_checkpoint(desk: Desk) -> None:
    end = (await grow(desk, 5))["entries"]
    await grow(desk, 3)
    await lose(desk, end + 1)
    await restore(desk)
    await desk.sealed()
    await desk.superuser.execute(
        "UPDATE audit_entries SET actor_id = 'somebody else' WHERE tenant_id = $1 AND position = 3", desk.tenant.id
    )
    assert (3, "changed") in places(await desk.sealed())


async def test_a_cut_tail_that_grew_again_is_found(desk: Desk) -> None:
    end = (await grow(desk, 5))["entries"]
    await lose(desk, end)
    assert places(await grow(desk, 1)) == [(end, "changed")]


async def test_a_word_that_the_key_did_not_sign_excuses_nothing(desk: Desk) -> None:
    end = (await grow(desk, 5))["entries"]
    await lose(desk, end)
    await restore(desk)
    assert (await desk.sealed())["ok"]
    for path in (desk.stage.home / "audit").glob("*.jsonl"):
        path.write_bytes(path.read_bytes().replace(b'"restored\\":true', b'"restored\\": true'))
    found = await desk.sealed()
    assert found["checkpoints_refused"] == 2
    assert places(found) == [(end, "changed")]
