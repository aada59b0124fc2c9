"""Republication: events of the log go to a broker once more, where it lost what it had acknowledged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crosstie.db.statement import Statement
from crosstie.deliver.broker.address import Address
from crosstie.log import replay
from crosstie.log.operation import Operation, begin
from crosstie.log.unit import Unit

#: the next number of a tenant's republications to a broker: a broker takes none of them for a repeat
ROUND = Statement(
    "INSERT INTO counters AS c (tenant_id, subject_type, subject_id, value)"
    " VALUES ($1::uuid, 'republication', $2::text, 1)"
    " ON CONFLICT (tenant_id, subject_type, subject_id) DO UPDATE SET value = c.value + 1 RETURNING value",
    ["tenant", "broker"],
)


async def republish(unit: Unit, address: Address, given: Mapping[str, Any], *, dry_run: bool) -> Operation:
    """Queue the republication of a tenant's events (`since`, `until`, `event_types`), or count them only."""
    kept = replay.given(address.route(unit.tenant_id), given, unit.now)
    count = await replay.count_events(unit, kept, address.types)
    if not dry_run:
        (row,) = await unit.fetch(ROUND, tenant=unit.tenant_id, broker=address.name)
        kept["round"] = row["value"]
    return await begin(unit, "replay", kept, count=count, finished=dry_run)
