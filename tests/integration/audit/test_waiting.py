"""Between act and seal an entry waits in the database: what others write or change there is not sealed as ours."""

from __future__ import annotations

from crosstie.log import trail
from tests.integration.audit.desk import Desk

#: what a superuser makes of each column of an entry that waits
CHANGES = {
    "at": "at - interval '1 day'",
    "actor_type": "'system'",
    "actor_id": "'somebody else'",
    "action": "'clients.read'",
    "target_type": "'job'",
    "target_id": "'another'",
    "outcome": "'denied'",
    "ip": "'10.1.1.1'",
    "request_id": "'another'",
    "before": """'{"status":"x"}'""",
    "after": "NULL",
    "personal": """'{"after":{"name":"Somebody"}}'""",
    "stamp": "NULL",
}


def test_every_column_is_tampered_with() -> None:
    assert set(CHANGES) == {column.name for column in trail.audit_pending.columns} - {"tenant_id", "id"}


async def test_a_change_of_what_waits_is_refused_and_told(desk: Desk) -> None:
    for column, value in CHANGES.items():
        target = await desk.act(f"Honest {column}")
        await desk.superuser.execute(f"UPDATE audit_pending SET {column} = {value}")
        found = await desk.sealed()
        last = (await desk.entries())[-1]
        assert last["action"] == "audit-entries.refuse", column
        assert found["faults"][-1]["entry_id"] == last["id"], column
        assert found["faults"][-1]["kind"] == "changed"
        assert target in str(last["after"]) or column == "target_id"
    honest = await desk.act("Honest")
    found = await desk.sealed()
    assert len(found["faults"]) == len(CHANGES)
    assert (await desk.entries())[-1]["target_id"] == honest


async def test_an_entry_of_another_tenant_or_of_another_day_is_refused(desk: Desk) -> None:
    await desk.act("Once")
    names = ", ".join(CHANGES)
    await desk.superuser.execute("CREATE TEMP TABLE kept AS SELECT * FROM audit_pending")
    assert (await desk.sealed())["ok"]
    whole = await desk.entries()
    # the same once more; under a new id; as the installation's own
    for tenant, id in (
        ("tenant_id", "id"),
        ("tenant_id", "gen_random_uuid()"),
        ("'00000000-0000-0000-0000-000000000000'", "id"),
    ):
        await desk.superuser.execute(
            f"INSERT INTO audit_pending (tenant_id, id, {names}) SELECT {tenant}, {id}, {names} FROM kept"
        )
        await desk.sealed()
    refused = await desk.superuser.fetch("SELECT tenant_id FROM audit_entries WHERE action = 'audit-entries.refuse'")
    assert len(refused) == 3
    after = await desk.entries()
    assert [row["hash"] for row in after[: len(whole)]] == [row["hash"] for row in whole]
    assert {row["action"] for row in after[len(whole) :]} == {"audit-entries.refuse"}


async def test_what_is_out_of_all_bounds_stops_nobody(desk: Desk) -> None:
    await desk.superuser.execute(
        "INSERT INTO audit_pending (tenant_id, id, at, actor_type, action, outcome, after)"
        " VALUES ($1, gen_random_uuid(), now(), repeat('x', 9000), repeat('y', 9000), 'nonsense', '[]')",
        desk.tenant.id,
    )
    honest = await desk.act("Honest")
    found = await desk.sealed()
    assert [fault["kind"] for fault in found["faults"]] == ["changed"]
    assert honest in {row["target_id"] for row in await desk.entries()}


async def test_a_part_that_is_blanked_needs_an_erasure(desk: Desk) -> None:
    target = await desk.act("Brief")
    await desk.superuser.execute("UPDATE audit_pending SET personal = NULL")
    found = await desk.sealed()
    entry = next(row for row in await desk.entries() if row["target_id"] == target)
    assert [(fault["entry_id"], fault["kind"]) for fault in found["faults"]] == [(entry["id"], "changed")]
