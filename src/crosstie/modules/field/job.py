"""Jobs: pieces of work, from the request to the closed file (checklist §1.1)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped

from crosstie.declare.field import choice, data, moment, ref, state, text
from crosstie.declare.machine import Machine, Move
from crosstie.declare.resource import Resource
from crosstie.declare.row import Record
from crosstie.modules.field import report
from crosstie.modules.field.timeline import TIMELINE

OPEN = (
    "requested", "quoted", "approved", "scheduled", "dispatched", "on_site", "in_progress", "compliance_complete",
    "certified", "invoiced", "paid",
)  # fmt: skip
ENDED = ("closed", "cancelled")


class Job(Record):
    """A piece of work for a client, usually at a site."""

    __tablename__ = "jobs"

    client_id: Mapped[UUID] = ref("clients", doc="Who asked for the work.")
    site_id: Mapped[UUID | None] = ref("sites", doc="Where it is done.", nullable=True)
    reference: Mapped[str | None] = text(60, nullable=True, doc="The firm's own number.")
    title: Mapped[str] = text(200, min=1, doc="The work in a line.")
    description: Mapped[str | None] = text(10_000, nullable=True, personal=True, doc="The work in full.")
    trade: Mapped[str | None] = text(60, nullable=True, doc="Which trade: plumbing, electrical, solar …")
    priority: Mapped[str] = choice("low", "normal", "high", "urgent", doc="How soon.", default="normal")
    status: Mapped[str] = state(*OPEN, *ENDED, "disputed", doc="How far it is.")
    due_at: Mapped[datetime | None] = moment(nullable=True, doc="When it must be done.")
    completed_at: Mapped[datetime | None] = moment(nullable=True, doc="When the work was done.")
    closed_at: Mapped[datetime | None] = moment(nullable=True, doc="When the file was closed.")
    external_ids: Mapped[dict[str, Any]] = data(doc="Its ids in other systems.")


DISPATCH = Move("dispatch", ("scheduled",), "dispatched", "job.dispatched", "A technician was sent.")
MACHINE = Machine(
    Job.status,
    (
        Move("quote", ("requested",), "quoted", "job.quoted", "A quote was sent to the client."),
        Move("approve", ("requested", "quoted"), "approved", "job.approved", "The client agreed to the work."),
        Move("schedule", ("requested", "approved", "scheduled"), "scheduled", "job.scheduled", "A visit was planned."),
        DISPATCH,
        Move("arrive", ("dispatched",), "on_site", "job.arrived", "The technician is on site."),
        Move("start", ("on_site", "dispatched", "scheduled"), "in_progress", "job.started", "Work began."),
        Move(
            "complete", ("in_progress",), "compliance_complete", "job.completed",
            "Work and compliance checks are done.", stamp=Job.completed_at,
        ),
        Move("certify", ("compliance_complete",), "certified", "job.certified", "The certificate was issued."),
        Move("invoice", ("compliance_complete", "certified"), "invoiced", "job.invoiced", "The invoice was sent."),
        Move("pay", ("invoiced",), "paid", "job.paid", "The invoice was paid."),
        Move(
            "close", ("paid", "invoiced", "certified"), "closed", "job.closed", "The file was closed.",
            stamp=Job.closed_at,
        ),
        Move(
            "cancel", ("requested", "quoted", "approved", "scheduled", "dispatched"), "cancelled", "job.cancelled",
            "The work will not be done.", stamp=Job.closed_at,
        ),
        Move(
            "dispute", ("compliance_complete", "certified", "invoiced", "paid"), "disputed", "job.disputed",
            "The client objects.",
        ),
        Move("settle", ("disputed",), "invoiced", "job.settled", "The dispute was settled."),
    ),
)  # fmt: skip

JOBS = Resource(
    row=Job,
    name="jobs",
    report=report.JOB,
    read=(
        Job.id,
        Job.client_id,
        Job.site_id,
        Job.reference,
        Job.title,
        Job.description,
        Job.trade,
        Job.priority,
        Job.status,
        Job.due_at,
        Job.completed_at,
        Job.closed_at,
        Job.external_ids,
        Job.created_at,
        Job.updated_at,
    ),
    write=(
        Job.client_id,
        Job.site_id,
        Job.reference,
        Job.title,
        Job.description,
        Job.trade,
        Job.priority,
        Job.due_at,
        Job.external_ids,
    ),
    filter=(Job.status, Job.client_id, Job.site_id, Job.priority, Job.trade, Job.due_at, Job.reference),
    sort=(Job.title, Job.due_at),
    search=(Job.title, Job.reference),
    machine=MACHINE,
    lists=(TIMELINE,),
)
