"""Results are recorded in one pass, also where the planner knows nothing of a partition yet."""

from __future__ import annotations

from crosstie.app import opened
from crosstie.db import session
from crosstie.kit import clock, ids
from crosstie.log import record
from crosstie.log.append import QUERIES
from crosstie.log.event import Event
from crosstie.log.sink import Lease, Outcome, Result
from tests.stage import Stage, Tenant


def _result(tenant: Tenant) -> Result:
    now = clock.now()
    event = Event(tenant_id=tenant.id, id=ids.uuid7(), event_id="e", type="job.created", version=1, at=now, data="{}")
    lease = Lease(tenant.id, ids.uuid7(), ids.uuid7(), "webhook", 1, event)
    return Result(lease, Outcome(True, now, 3, response_status=204), "delivered", None)


async def test_no_row_of_a_batch_is_looked_for_among_all_others(stage: Stage, tenant: Tenant) -> None:
    """A nested loop over a partition that is taken for empty goes over the whole batch for each of its rows."""
    results = [_result(tenant) for _ in range(250)]
    async with (
        opened(stage.settings, stage.dsns, work=False, name="record") as process,
        session.of_tenants(process.log.worker, {tenant.id}, session.BY_KEYS) as connection,
    ):
        words = f"EXPLAIN {QUERIES['record'].text}"
        plan = await connection.fetch(words, *record.arguments(results, ids.uuid7()))
    lines = "\n".join(row[0] for row in plan)
    assert "Nested Loop" not in lines
    assert "Seq Scan" not in lines
