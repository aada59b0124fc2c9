"""Schedules: visits of a technician to a job. Nobody is in two places at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from crosstie.access.user import User
from crosstie.db.statement import compiled
from crosstie.declare import kind as kinds
from crosstie.declare.catalogue import example
from crosstie.declare.event import EventType
from crosstie.declare.field import Field, choice, moment, ref, state, text, zone
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record
from crosstie.declare.shape import Shape, fault
from crosstie.errors import DoubleBooked, Fault, NotFound
from crosstie.log.blank import erasing
from crosstie.log.unit import Unit

#: states in which a visit takes up the technician's time; one that is done frees what was left of its window
BUSY = ("planned", "en_route", "arrived")
LONGEST = timedelta(days=31)


class Schedule(Record):
    """A visit of a technician to a job, in a window of time."""

    __tablename__ = "schedules"

    job_id: Mapped[UUID] = ref("jobs", doc="What is worked on.")
    technician_id: Mapped[UUID] = ref("users", doc="Who comes.")
    kind: Mapped[str] = choice(
        "assessment", "work", "inspection", "maintenance", doc="What the visit is for.", default="work"
    )
    starts_at: Mapped[datetime] = moment(doc="When the window begins.")
    ends_at: Mapped[datetime] = moment(doc="When it ends; the next visit may begin at that very moment.")
    time_zone: Mapped[str] = zone(doc="The zone in which people read the window.", default="Africa/Johannesburg")
    eta: Mapped[datetime | None] = moment(nullable=True, doc="When the technician is expected, as last heard.")
    status: Mapped[str] = state("planned", "en_route", "arrived", "done", "cancelled", doc="How far the visit is.")
    arrived_at: Mapped[datetime | None] = moment(nullable=True, doc="When the technician came.")
    done_at: Mapped[datetime | None] = moment(nullable=True, doc="When the visit was over.")
    notes: Mapped[str | None] = text(2000, nullable=True, personal=True, doc="What the technician should know.")


_TABLE = Schedule.__table__
_OVERLAP = compiled(
    sa.select(_TABLE.c.id)
    .where(
        _TABLE.c.technician_id == sa.bindparam("technician", type_=sa.Uuid()),
        _TABLE.c.starts_at < sa.bindparam("ends", type_=sa.DateTime(timezone=True)),
        _TABLE.c.ends_at > sa.bindparam("starts", type_=sa.DateTime(timezone=True)),
        _TABLE.c.id != sa.bindparam("own", type_=sa.Uuid()),
        sa.or_(*(_TABLE.c.status == sa.literal_column(f"'{word}'") for word in BUSY)),
    )
    .limit(sa.literal_column("1"))
)


async def _rule(unit: Unit, before: Schedule | None, values: dict[str, Any]) -> None:
    whole = (before.__dict__ if before else {}) | values
    starts, ends = whole["starts_at"], whole["ends_at"]
    if ends <= starts:
        raise fault("/ends_at", "range", "must be after starts_at")
    if ends - starts > LONGEST:
        raise fault("/ends_at", "range", f"must be at most {LONGEST.days} days after starts_at")
    moved = any(name in values for name in ("technician_id", "starts_at", "ends_at"))
    if moved and (before is None or before.status in BUSY):
        await _book(unit, whole)


async def _book(unit: Unit, visit: Mapping[str, Any]) -> None:
    """Raise DoubleBooked where the technician is taken. Their row is locked, so that bookings of one come in turn."""
    try:
        technician = await unit.get(User, visit["technician_id"], lock=True)
    except NotFound:
        raise fault("/technician_id", "reference", "there is no such user") from None
    if technician.status != "active":
        raise fault("/technician_id", "suspended", "the user may not act")
    taken = await unit.fetch(
        _OVERLAP, technician=technician.id, starts=visit["starts_at"], ends=visit["ends_at"], own=visit["id"]
    )
    if taken:
        raise DoubleBooked(
            "The technician has another visit at that time.",
            errors=[Fault("/starts_at", "double_booked", f"overlaps the visit {taken[0]['id']}")],
        )


async def _depart(unit: Unit, row: Schedule, given: Mapping[str, Any]) -> dict[str, Any]:
    """Who follows the job is told as well, without asking for its visits."""
    eta = given.get("eta")
    told = {"job_id": row.job_id, "schedule_id": row.id, "technician_id": row.technician_id, "eta": eta}
    unit.append(EN_ROUTE.name, told, ("job", str(row.job_id)))
    return {"eta": eta}


_TOLD = (
    Field(kinds.Id(), name="job_id", doc="The job."),
    Field(kinds.Id(), name="schedule_id", doc="The visit."),
    Field(kinds.Id(), name="technician_id", doc="Who comes."),
    Field(kinds.Moment(), name="eta", doc="When they expect to arrive.", nullable=True),
)
EN_ROUTE = EventType(
    "job.en_route",
    "A technician is on the way to the job.",
    Shape(_TOLD).schema(output=True),
    {field.name: example(field) for field in _TOLD},
    subject="job",
    subject_field="job_id",
)


MACHINE = Machine(
    Schedule.status,
    (
        Move(
            "depart", ("planned",), "en_route", "schedule.en_route", "The technician is on the way.",
            given=(Field(kinds.Moment(), name="eta", doc="When they expect to arrive.", nullable=True),), run=_depart,
        ),
        Move(
            "arrive", ("planned", "en_route"), "arrived", "schedule.arrived", "The technician is there.",
            stamp=Schedule.arrived_at,
        ),
        Move("finish", ("arrived",), "done", "schedule.done", "The visit is over.", stamp=Schedule.done_at),
        Move("cancel", ("planned", "en_route"), "cancelled", "schedule.cancelled", "The visit will not happen."),
    ),
)  # fmt: skip

SCHEDULES = Resource(
    row=Schedule,
    name="schedules",
    read=(
        Schedule.id,
        Schedule.job_id,
        Schedule.technician_id,
        Schedule.kind,
        Schedule.starts_at,
        Schedule.ends_at,
        Schedule.time_zone,
        Schedule.eta,
        Schedule.status,
        Schedule.arrived_at,
        Schedule.done_at,
        Schedule.notes,
        Schedule.created_at,
        Schedule.updated_at,
    ),
    write=(
        Schedule.job_id,
        Schedule.technician_id,
        Schedule.kind,
        Schedule.starts_at,
        Schedule.ends_at,
        Schedule.time_zone,
        Schedule.eta,
        Schedule.notes,
    ),
    filter=(Schedule.job_id, Schedule.technician_id, Schedule.status, Schedule.starts_at, Schedule.ends_at),
    sort=(Schedule.starts_at,),
    machine=MACHINE,
    actions=(erasing("schedules", "schedule"),),
    rule=_rule,
)
