"""Alert rules: what is watched, from which value on it is an alert, and for how long it must be so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from crosstie.db import lock
from crosstie.db.statement import Statement
from crosstie.declare import kind as kinds
from crosstie.declare.field import Field, choice, flag, identifier, integer, moment, number, state, text
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record
from crosstie.errors import Fault, Invalid, MoveRefused
from crosstie.log.unit import Log, Unit

#: what a rule can watch → its value, as an alert says it
WATCHED = {
    "failure_rate": "{} % of calls failed",
    "unavailable": "down for {} s",
    "timeouts": "{} calls ran into their time limit or took more than 10 s",
    "latency": "95 % of calls took up to {} ms",
    "dead_letters": "{} given up",
    "backlog_age": "due for {} s",
}
#: of the whole installation: Crosstie makes these rules in the operator's tenant, nobody else can
OPERATED = {
    "broker_away": "away for {} s",
    "installation_backlog_age": "due for {} s",
    "log_lag": "{} transactions",
    "undispatched": "{} events",
}
#: kinds whose value is of one integration
SINGLE = ("failure_rate", "unavailable", "timeouts", "latency", "backlog_age")


class AlertRule(Record):
    """What is watched, and from when on it is an alert."""

    __tablename__ = "alert_rules"

    name: Mapped[str] = text(100, min=1, doc="What it is called.")
    kind: Mapped[str] = choice(*WATCHED, *OPERATED, doc="What is watched.")
    threshold: Mapped[Decimal] = number(doc="An alert is above this value.", min=Decimal(0))
    window_seconds: Mapped[int] = integer(doc="The time that is looked at.", min=60, max=3600, default=300)
    for_seconds: Mapped[int] = integer(doc="It must be so for this long.", max=86_400, default=0)
    clear_seconds: Mapped[int] = integer(
        doc="It must be over for this long before the alert ends.", max=86_400, default=60
    )
    minimum: Mapped[int] = integer(doc="Calls that a rate needs to mean something.", min=1, max=1_000_000, default=20)
    severity: Mapped[str] = choice("warning", "critical", doc="How much it matters.", default="warning")
    integration_id: Mapped[UUID | None] = identifier(doc="Only this integration; null: each by itself.", nullable=True)
    built_in: Mapped[bool] = flag(doc="Whether Crosstie made it; such a rule can be changed and disabled, not deleted.")
    status: Mapped[str] = state("active", "muted", "disabled", doc="Whether it is looked at; muted: nothing fires.")
    muted_until: Mapped[datetime | None] = moment(doc="When it speaks again by itself.", nullable=True)


async def _rule(unit: Unit, before: AlertRule | None, values: dict[str, Any]) -> None:
    kind = before.kind if before else values["kind"]
    if before is None and kind in OPERATED and not values.get("built_in"):
        fault = Fault("/kind", "operated", "is for the operator of the installation")
        raise Invalid("This kind watches the whole installation.", errors=[fault])
    if values.get("integration_id") is not None and kind not in SINGLE:
        fault = Fault("/integration_id", "single", "must be null for this kind")
        raise Invalid(f"{kind} is not of one integration.", errors=[fault])


FORGET = Statement("DELETE FROM alerts WHERE tenant_id = $1::uuid AND rule_id = $2::uuid", "12")


async def _deleted(unit: Unit, row: AlertRule, given: Mapping[str, Any]) -> None:
    if row.built_in:
        raise MoveRefused("A rule of Crosstie's own cannot be deleted; disable it.")
    unit.write(FORGET, [unit.tenant_id, row.id])


async def _mute(unit: Unit, row: AlertRule, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"muted_until": given.get("until")}


async def _speak(unit: Unit, row: AlertRule, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"muted_until": None}


WRITTEN = (
    AlertRule.name,
    AlertRule.threshold,
    AlertRule.window_seconds,
    AlertRule.for_seconds,
    AlertRule.clear_seconds,
    AlertRule.minimum,
    AlertRule.severity,
    AlertRule.integration_id,
)
UNTIL = Field(kinds.Moment(), name="until", doc="Until when; null: until it is unmuted.", nullable=True)


def _move(verb: str, sources: tuple[str, ...], target: str, event: str, doc: str, **more: Any) -> Move:
    return Move(verb, sources, target, f"alert_rule.{event}", doc, **more)


MACHINE = Machine(
    AlertRule.status,
    (
        _move("mute", ("active", "muted"), "muted", "muted", "Nothing fires for a while.", given=(UNTIL,), run=_mute),
        _move("unmute", ("muted",), "active", "unmuted", "It fires again.", run=_speak, due=AlertRule.muted_until),
        _move("disable", ("active", "muted"), "disabled", "disabled", "It is looked at no more.", run=_speak),
        _move("enable", ("disabled", "active"), "active", "enabled", "It is looked at again."),
    ),
)


async def ensure(log: Log, tenant_id: UUID) -> None:
    """Make the rules that every tenant has, where one is missing."""
    async with log.unit(tenant_id) as unit:
        await usual(unit)


async def usual(unit: Unit, *, operated: bool = False) -> None:
    """As `ensure`, in a Unit; with `operated` those of the operator, too."""
    wanted = {_id(unit.tenant_id, each["kind"]): each for each in (*USUAL, *(OWN if operated else ()))}
    if wanted.keys() <= await _built_in(unit):
        return
    key = lock.number(unit.tenant_id.bytes + b"alert rules")
    await unit.connection.execute("SELECT pg_advisory_xact_lock($1)", key)  # two that look at once would both make them
    known = await _built_in(unit)
    for id, given in wanted.items():
        if id not in known:
            fields = {**ALERT_RULES.initial, **ALERT_RULES.creation.fields}
            usually = {name: field.initial() for name, field in fields.items()}
            stamps = {"created_at": unit.now, "updated_at": unit.now, "revision": 1}
            unit.insert(AlertRule, {**usually, **stamps, **given, "id": id, "built_in": True})


async def _built_in(unit: Unit) -> set[UUID]:
    table = AlertRule.__table__
    return {row["id"] for row in await unit.select(sa.select(table.c.id).where(table.c.built_in))}


def _id(tenant_id: UUID, kind: str) -> UUID:
    return uuid5(tenant_id, f"alert rule {kind}")


def _usual(kind: str, name: str, threshold: int, severity: str = "warning", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "name": name, "threshold": Decimal(threshold), "severity": severity, **more}


#: every tenant's
USUAL = (
    _usual("failure_rate", "More than 5 % of calls fail", 5),
    _usual("unavailable", "An integration is down", 0, "critical", clear_seconds=0),
    _usual("timeouts", "Calls run into their time limit", 0),
    _usual("dead_letters", "Deliveries were given up", 0, clear_seconds=0),
    _usual("backlog_age", "Deliveries wait", 300, "critical"),
)
#: the operator's
OWN = (
    _usual("broker_away", "A broker is away", 30, "critical", clear_seconds=0),
    _usual("installation_backlog_age", "Deliveries of some tenant wait", 600, "critical"),
    _usual("log_lag", "Readers of the log wait", 10_000, for_seconds=60),
    _usual("undispatched", "Events wait to be dispatched", 10_000, for_seconds=60),
)

ALERT_RULES = Resource(
    row=AlertRule,
    name="alert-rules",
    read=(AlertRule.id, AlertRule.kind, *WRITTEN, AlertRule.built_in, AlertRule.status, AlertRule.muted_until,
          AlertRule.created_at, AlertRule.updated_at),
    write=WRITTEN,
    once=(AlertRule.kind,),
    filter=(AlertRule.kind, AlertRule.status),
    machine=MACHINE,
    rule=_rule,
    before_delete=_deleted,
    before_read=ensure,
    most=100,
)  # fmt: skip
