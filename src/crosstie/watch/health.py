"""The health of a tenant's integrations: their rows, brought up to what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from crosstie.db import lock
from crosstie.declare.machine import Machine
from crosstie.declare.resource import READ_ONLY, Events, Resource
from crosstie.log import change
from crosstie.log.unit import Log, Unit
from crosstie.watch import integration, measure, step
from crosstie.watch.integration import MOVES, Integration, Seen
from crosstie.watch.measure import WINDOW, Calls, Way


@dataclass(frozen=True, slots=True)
class Survey:
    """A tenant at a moment: its integrations, and the calls to them in the window of health."""

    slug: str
    integrations: Mapping[UUID, Integration]
    calls: Mapping[UUID, Calls]


async def survey(unit: Unit) -> Survey | None:
    """Look at a tenant and keep what was found; None where another process is at it."""
    key = lock.number(unit.tenant_id.bytes + b"watch")
    if not await unit.connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", key):
        return None
    slug = await unit.connection.fetchval("SELECT slug FROM tenants")
    called = await measure.calls(unit, WINDOW)
    ways = await measure.ways(unit, slug, called)
    due = await measure.oldest(unit, ways)
    calls = {id: counted for id, (_, counted) in called.items()}
    return Survey(slug, await _integrations(unit, ways, calls, due), calls)


async def fresh(log: Log, tenant_id: UUID) -> None:
    """Look before somebody reads."""
    async with log.unit(tenant_id) as unit:
        await survey(unit)


async def _integrations(
    unit: Unit, ways: Mapping[UUID, Way], called: Mapping[UUID, Calls], due: Mapping[UUID, datetime]
) -> dict[UUID, Integration]:
    """Bring the rows up to what was measured."""
    held = await unit.select(sa.select(Integration.__table__).with_for_update())
    have = {row["id"]: Integration.view(row) for row in held}
    for id in have.keys() - ways.keys():
        unit.delete(have[id])
    found = {}
    for id, way in ways.items():
        row = have.get(id) or await _made(unit, id, way)
        found[id] = await _brought(unit, row, way, called.get(id) or Calls(), due.get(id))
    return found


async def _made(unit: Unit, id: UUID, way: Way) -> Integration:
    values = {"id": id, "kind": way.kind, "name": way.name, "since": unit.now, "measured_at": unit.now}
    row = await change.create(unit, INTEGRATIONS, values)
    assert isinstance(row, Integration)
    return row


async def _brought(unit: Unit, row: Integration, way: Way, calls: Calls, due: datetime | None) -> Integration:
    figures = {
        "name": way.name,
        "last_success_at": calls.ok_at or row.last_success_at,
        "last_failure_at": calls.failed_at or row.last_failure_at,
        "calls": calls.total,
        "failures": calls.failed,
        "timeouts": calls.slow,
        "p50_ms": calls.quantile(0.5),
        "p95_ms": calls.quantile(0.95),
        "p99_ms": calls.quantile(0.99),
        "oldest_due_at": due,
        "measured_at": unit.now,
    }
    line = way.line
    seen = Seen(
        now=unit.now,
        ok=calls.ok,
        failed=calls.failed,
        streak=calls.streak,
        ok_at=calls.ok_at,
        error=calls.error,
        off=way.off,
        there=line.there if line else 0,
        away=line.away if line else 0,
        fault=line.fault if line else None,
    )
    failing = row.last_failure_at is not None and row.last_failure_at > (row.last_success_at or row.created_at)
    status, reason = integration.judge(seen, row.status, row.reason, failing=failing)
    changed = integration.figures(row.__dict__, figures | {"reason": reason})
    if changed:
        row = unit.update(row, changed)
    return row if status == row.status else step.take(unit, INTEGRATIONS, row, MOVES[status], since=unit.now)


INTEGRATIONS = Resource(
    row=Integration,
    name="integrations",
    read=(
        Integration.id,
        Integration.kind,
        Integration.name,
        Integration.status,
        Integration.reason,
        Integration.since,
        Integration.last_success_at,
        Integration.last_failure_at,
        Integration.calls,
        Integration.failures,
        Integration.timeouts,
        Integration.p50_ms,
        Integration.p95_ms,
        Integration.p99_ms,
        Integration.oldest_due_at,
        Integration.measured_at,
    ),
    filter=(Integration.kind, Integration.status),
    verbs=READ_ONLY,
    events=Events(None, None, None),
    before_read=fresh,
    machine=Machine(Integration.status, tuple(MOVES.values())),
)
