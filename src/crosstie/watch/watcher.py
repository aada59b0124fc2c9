"""The watcher: every few seconds one process of the installation looks at each tenant that something happens at.

All that it knows is in rows: another process goes on where it left off. A look is a Unit about how integrations are,
then short ones about the alerts that follow, each change with its event: a long one would hold up the log's readers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa
import structlog

from crosstie.db.engine import TROUBLE
from crosstie.db.statement import fetch
from crosstie.kit import clock
from crosstie.log import change
from crosstie.log.unit import Log, Unit
from crosstie.watch import alert, health, measure, step
from crosstie.watch.alert import ALERTS, Alert
from crosstie.watch.health import Survey
from crosstie.watch.integration import Integration
from crosstie.watch.measure import WINDOW, Calls
from crosstie.watch.rule import OPERATED, WATCHED, AlertRule, usual

#: seconds between two looks, and between two looks at tenants that nothing happens at
EVERY, WHOLE = 5.0, 60.0
#: minutes in which a tenant counts as one that something happens at, and hours that pulses are kept
RECENT, KEPT = timedelta(minutes=10), timedelta(hours=2)
BATCH = 5000
#: seconds that one look at a tenant may take, and one Unit of it, before no more is begun
LOOK, HOLD = 2.0, 0.5
ORDER = Random()  # noqa: S311  # which rule comes first, guards nothing
logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a rule watches, measured: of what, how much, and whether that is enough to mean anything."""

    subject_id: UUID
    subject: str
    value: float
    enough: bool = True


class Watcher:
    """Looks while it is this process's turn. `operator` is the slug of the tenant that hears of the installation."""

    def __init__(self, log: Log, operator: str = "", every: float = EVERY) -> None:
        self._log = log
        self._operator = operator
        self._every = every

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._every / 2)
            try:
                if await self._turn("watch", self._every):
                    await self.tour(everyone=await self._turn("watch everyone", WHOLE))
            except (*TROUBLE, TimeoutError) as error:
                logger.warning("watch.failed", error=repr(error))

    async def _turn(self, name: str, every: float) -> bool:
        return bool(await self._log.worker.fetchval("SELECT take_turn($1, $2)", name, every))

    async def tour(self, *, everyone: bool) -> None:
        """Look at every tenant that something happens at, or at all."""
        for row in await self._log.app.fetch("SELECT id FROM watch_tenants($1, $2)", clock.now() - RECENT, everyone):
            try:
                await look(self._log, row["id"], operator=self._operator)
            except Exception:  # one tenant's trouble, whatever it is, is not the others'
                logger.exception("watch.tenant_failed", tenant_id=str(row["id"]))
        while everyone and await self._forget() == BATCH:
            pass  # there may be more

    async def _forget(self) -> int:
        """Drop pulses that are too old to tell anything, a batch of them; how many they were."""
        return int(await self._log.worker.fetchval("SELECT pulses_forget($1, $2)", clock.now() - KEPT, BATCH))


async def look(log: Log, tenant_id: UUID, operator: str = "") -> None:
    """One look at a tenant, unless another process is at it. Its rules come in any order: those that time did not
    suffice for have their turn at a later look."""
    until = time.monotonic() + LOOK
    async with log.unit(tenant_id) as unit:
        survey = await health.survey(unit)
        if survey is None:
            return
        await usual(unit, operated=survey.slug == operator)
        ids = [row["id"] for row in await unit.select(sa.select(AlertRule.__table__.c.id))]
    ORDER.shuffle(ids)
    while ids:
        async with log.unit(tenant_id) as unit:
            await _alerts(unit, ids, survey, time.monotonic() + HOLD)
        if time.monotonic() >= until:
            return


async def _alerts(unit: Unit, ids: list[UUID], survey: Survey, until: float) -> None:
    """Bring the alerts of rules up to what was measured, for as long as a Unit may last; `ids` are those left."""
    windows = {WINDOW: survey.calls}
    while ids:
        found = await unit.fetch(fetch(AlertRule.__table__, lock=True), key_tenant=unit.tenant_id, key_id=ids.pop())
        for rule in map(AlertRule.view, found):
            if rule.window_seconds not in windows:
                measured = await measure.calls(unit, rule.window_seconds)
                windows[rule.window_seconds] = {id: calls for id, (_, calls) in measured.items()}
            await _rule(unit, rule, survey, windows[rule.window_seconds])
        if time.monotonic() >= until:
            return


async def _rule(unit: Unit, rule: AlertRule, survey: Survey, called: Mapping[UUID, Calls]) -> None:
    """Bring one rule's alerts up to what was measured."""
    table = Alert.__table__
    query = sa.select(table).where(table.c.rule_id == sa.bindparam("rule_id", type_=sa.Uuid())).with_for_update()
    known = {row["subject_id"]: Alert.view(row) for row in await unit.select(query, rule_id=rule.id)}
    for reading in (await _readings(unit, rule, survey.integrations, called)).values():
        await _judged(unit, rule, known.pop(reading.subject_id, None), reading)
    for row in known.values():
        await _judged(unit, rule, row, Reading(row.subject_id, row.subject, 0.0))


async def _readings(
    unit: Unit, rule: AlertRule, rows: Mapping[UUID, Integration], called: Mapping[UUID, Calls]
) -> dict[UUID, Reading]:
    if rule.status == "disabled":
        return {}
    if rule.kind in SINGLE:
        own = {id: row for id, row in rows.items() if rule.integration_id in (None, id)}
        found = [SINGLE[rule.kind](row, called.get(id) or Calls(), rule) for id, row in own.items()]
    elif rule.kind == "dead_letters":
        found = [Reading(unit.tenant_id, "deliveries", await measure.dead(unit, rule.window_seconds))]
    else:
        found = await _operated(unit, rule.kind)
    return {reading.subject_id: reading for reading in found}


def _failure_rate(row: Integration, calls: Calls, rule: AlertRule) -> Reading:
    value = 100 * calls.failed / calls.total if calls.total else 0.0
    return Reading(row.id, row.name, value, calls.total >= rule.minimum)


def _unavailable(row: Integration, calls: Calls, rule: AlertRule) -> Reading:
    # the first look at it counts, too: it has been down for a moment
    down = max(0.001, (clock.now() - row.since).total_seconds()) if row.status == "down" else 0.0
    return Reading(row.id, row.name, down)


def _timeouts(row: Integration, calls: Calls, rule: AlertRule) -> Reading:
    return Reading(row.id, row.name, calls.slow)


def _latency(row: Integration, calls: Calls, rule: AlertRule) -> Reading:
    return Reading(row.id, row.name, calls.quantile(0.95) or 0, calls.total >= rule.minimum)


def _backlog_age(row: Integration, calls: Calls, rule: AlertRule) -> Reading:
    waited = (clock.now() - row.oldest_due_at).total_seconds() if row.oldest_due_at else 0.0
    return Reading(row.id, row.name, max(0.0, waited))


SINGLE = {
    "failure_rate": _failure_rate,
    "unavailable": _unavailable,
    "timeouts": _timeouts,
    "latency": _latency,
    "backlog_age": _backlog_age,
}


async def _operated(unit: Unit, kind: str) -> list[Reading]:
    """What the operator's rules watch."""
    if kind == "broker_away":
        return [
            Reading(
                uuid5(unit.tenant_id, f"broker {line.name}"),
                line.name,
                (unit.now - line.since).total_seconds() if line.away and not line.there else 0.0,
            )
            for line in await measure.lines(unit)
            if line.kind == "broker"
        ]
    column = {"installation_backlog_age": "oldest", "log_lag": "behind", "undispatched": "undispatched"}[kind]
    depth = await measure.depth(unit.log.worker)
    return [Reading(unit.tenant_id, "installation", float(depth[column]))]


async def _judged(unit: Unit, rule: AlertRule, row: Alert | None, reading: Reading) -> None:
    breached = reading.enough and reading.value > rule.threshold
    if row is None and not breached:
        return
    if row is None:
        row = await _made(unit, rule, reading)
    before = alert.Standing(row.status, row.breached_at, row.cleared_at)
    after, move = alert.judge(before, rule, breached, unit.now)
    changes: dict[str, Any] = {"breached_at": after.breached_at, "cleared_at": after.cleared_at}
    if breached or row.status in ("pending", "firing"):
        changes |= _words(rule, reading)
    changes = {name: value for name, value in changes.items() if row.__dict__[name] != value}
    if changes:
        row = unit.update(row, changes)
    if move:
        taken_on = {"acknowledged_at": None, "acknowledged_by": None} if move is alert.FIRE else {}
        step.take(unit, ALERTS, row, move, **taken_on)


async def _made(unit: Unit, rule: AlertRule, reading: Reading) -> Alert:
    values = {
        "id": uuid5(rule.id, str(reading.subject_id)),
        "rule_id": rule.id,
        "kind": rule.kind,
        "subject_id": reading.subject_id,
        **_words(rule, reading),
    }
    row = await change.create(unit, ALERTS, values)
    assert isinstance(row, Alert)
    return row


def _words(rule: AlertRule, reading: Reading) -> dict[str, Any]:
    value = Decimal(f"{reading.value:.4f}")
    said = {**WATCHED, **OPERATED}[rule.kind].format(f"{reading.value:.1f}".removesuffix(".0"))
    return {
        "subject": reading.subject[:300],
        "value": value,
        "threshold": rule.threshold,
        "severity": rule.severity,
        "summary": f"{rule.name}: {reading.subject}, {said}"[:500],
    }
