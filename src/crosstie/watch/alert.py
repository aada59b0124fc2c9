"""Alerts: where a rule's value is above its threshold, and what became of that. One per rule and what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped

from crosstie.declare.field import choice, identifier, moment, number, ref, state, text
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import READ_ONLY, Action, Events, Resource
from crosstie.declare.row import Record
from crosstie.errors import MoveRefused
from crosstie.log import change
from crosstie.log.unit import Unit
from crosstie.watch.rule import AlertRule


class Alert(Record):
    """A rule's word about one integration, or about the tenant: whether its value is above the threshold."""

    __tablename__ = "alerts"

    rule_id: Mapped[UUID] = ref("alert-rules", doc="The rule.")
    kind: Mapped[str] = text(40, doc="What the rule watches.")
    severity: Mapped[str] = choice("warning", "critical", doc="How much it matters.")
    subject_id: Mapped[UUID] = identifier(doc="The integration that it is about, or the tenant.")
    subject: Mapped[str] = text(300, doc="Its name.")
    status: Mapped[str] = state(
        "ok", "pending", "firing", "resolved", doc="Pending: not yet for as long as the rule asks."
    )
    summary: Mapped[str] = text(500, doc="The alert in a sentence.")
    value: Mapped[Decimal] = number(doc="What was measured last.")
    threshold: Mapped[Decimal] = number(doc="What it must not be above.")
    breached_at: Mapped[datetime | None] = moment(doc="Since when it is above the threshold.", nullable=True)
    cleared_at: Mapped[datetime | None] = moment(doc="Since when it is not.", nullable=True)
    fired_at: Mapped[datetime | None] = moment(doc="When it last began to fire.", nullable=True)
    resolved_at: Mapped[datetime | None] = moment(doc="When it last ended.", nullable=True)
    acknowledged_at: Mapped[datetime | None] = moment(doc="When somebody took it on.", nullable=True)
    acknowledged_by: Mapped[str | None] = text(200, doc="Who did: a type and an id.", nullable=True)


async def _acknowledge(unit: Unit, row: Alert, given: Mapping[str, Any]) -> Alert:
    """Say that somebody is at it."""
    if row.status != "firing":
        raise MoveRefused(f"An alert that is {row.status} cannot be acknowledged; it must be firing.")
    after = unit.update(row, {"acknowledged_at": unit.now, "acknowledged_by": unit.actor.principal})
    change.tell(unit, ALERTS, "alert.acknowledged", after)
    return after


def _move(verb: str, sources: tuple[str, ...], target: str, event: str, doc: str, **more: Any) -> Move:
    return Move(verb, sources, target, f"alert.{event}", doc, inner=True, **more)


SUSPECT = _move("suspect", ("ok", "resolved"), "pending", "pending", "A value is above its threshold.")
FIRE = _move(
    "fire",
    ("ok", "pending", "resolved"),
    "firing",
    "firing",
    "A value has been above its threshold for as long as the rule asks.",
    stamp=Alert.fired_at,
)
CALM = _move("calm", ("pending",), "ok", "cleared", "A value fell before the alert fired.")
RESOLVE = _move("resolve", ("firing",), "resolved", "resolved", "An alert is over.", stamp=Alert.resolved_at)

ALERTS = Resource(
    row=Alert,
    name="alerts",
    read=(
        Alert.id,
        Alert.rule_id,
        Alert.kind,
        Alert.severity,
        Alert.subject_id,
        Alert.subject,
        Alert.status,
        Alert.summary,
        Alert.value,
        Alert.threshold,
        Alert.breached_at,
        Alert.cleared_at,
        Alert.fired_at,
        Alert.resolved_at,
        Alert.acknowledged_at,
        Alert.acknowledged_by,
        Alert.created_at,
        Alert.updated_at,
    ),
    filter=(Alert.status, Alert.kind, Alert.severity, Alert.subject_id),
    verbs=READ_ONLY,
    events=Events(None, None, None),
    machine=Machine(Alert.status, (SUSPECT, FIRE, CALM, RESOLVE)),
    actions=(Action("acknowledge", _acknowledge, "Say that somebody is at it.", events=("alert.acknowledged",)),),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How an alert stands: its state, and since when its value is above the threshold, or not."""

    status: str = "ok"
    breached_at: datetime | None = None
    cleared_at: datetime | None = None


def judge(standing: Standing, rule: AlertRule, breached: bool, now: datetime) -> tuple[Standing, Move | None]:
    """How an alert stands after one more look, and the move that this means. A muted rule lets nothing fire."""
    above = (standing.breached_at or now) if breached else None
    below = None if breached else (standing.cleared_at or now)
    step = None
    if above is not None:
        held = now - above >= timedelta(seconds=rule.for_seconds) and rule.status != "muted"
        if standing.status != "firing" and held:
            step = FIRE
        elif standing.status in ("ok", "resolved"):
            step = SUSPECT
    elif standing.status == "pending":
        step = CALM
    elif standing.status == "firing" and below is not None and now - below >= timedelta(seconds=rule.clear_seconds):
        step = RESOLVE
    return Standing(step.target if step else standing.status, above, below), step
