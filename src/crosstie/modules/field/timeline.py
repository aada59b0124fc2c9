"""The timeline of a job: every event about it, in order, kept for good. Entries are only ever added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped

from crosstie.db.statement import Statement
from crosstie.declare.field import choice, data, identifier, moment, text
from crosstie.declare.module import Projection
from crosstie.declare.resource import Events, Listing, Resource
from crosstie.declare.row import Row
from crosstie.kit import ids
from crosstie.log.event import Event
from crosstie.log.unit import Unit

#: the layer that an event belongs to, by the first word of its type; what is not named here is of the layer `event`
LAYERS = {
    "message": "communication",
    "notification": "communication",
    "review": "communication",
    "photo": "document",
    "document": "document",
    "certificate": "document",
    "report": "document",
    "quote": "money",
    "deposit": "money",
    "payment": "money",
    "invoice": "money",
    "expense": "money",
}


class Entry(Row):
    """One entry of a job's timeline: an event, who caused it, and what it said."""

    __tablename__ = "timeline_entries"
    __table_args__ = ({"info": {"app": "SELECT, INSERT"}},)

    job_id: Mapped[UUID] = identifier(doc="The job. It may be gone by now; its timeline stays.")
    at: Mapped[datetime] = moment(doc="When it happened.")
    type: Mapped[str] = text(200, doc="The event's type.")
    layer: Mapped[str] = choice("event", "communication", "document", "money", doc="What kind of thing it is.")
    event_id: Mapped[str] = text(128, doc="The event's id.")
    actor_type: Mapped[str] = text(60, doc="What caused it: a user, an API key, a client, Crosstie itself.")
    actor_id: Mapped[str | None] = text(128, nullable=True, doc="Which.")
    subject_type: Mapped[str | None] = text(128, nullable=True, doc="What it is about: a job, a quote, a photo …")
    subject_id: Mapped[str | None] = text(128, nullable=True, doc="Which.")
    data: Mapped[dict[str, Any]] = data(doc="What the event said.", keys=1000)


ENTRIES = Resource(
    row=Entry,
    name="timeline-entries",
    read=(
        Entry.id,
        Entry.job_id,
        Entry.at,
        Entry.type,
        Entry.layer,
        Entry.event_id,
        Entry.subject_type,
        Entry.subject_id,
        Entry.actor_type,
        Entry.actor_id,
        Entry.data,
    ),
    filter=(Entry.job_id, Entry.type, Entry.layer, Entry.at, Entry.subject_id),
    verbs=frozenset(),
    events=Events(None, None, None),
)
TIMELINE = Listing("timeline", ENTRIES, Entry.job_id, "All that happened around a job, in order.", outlives=True)

BLANK = Statement("SELECT timeline_blank($1, $2, $3)", ("kind", "subject", "names"))


def enter(unit: Unit, event: Event, data: Mapping[str, Any]) -> None:
    """Add an event about a job to its timeline, in the event's own transaction."""
    job = data.get("job_id")
    if job is None:
        return
    values = {
        "id": event.id,
        "job_id": job if isinstance(job, UUID) else ids.parse(job),
        "at": event.at,
        "type": event.type,
        "layer": LAYERS.get(event.type.split(".")[0], "event"),
        "event_id": event.event_id,
        "subject_type": event.subject_type,
        "subject_id": event.subject_id,
        "actor_type": event.actor_type,
        "actor_id": event.actor_id,
        "data": dict(data),
    }
    unit.insert(Entry, values)


async def blank(unit: Unit, subject: tuple[str, str], names: Sequence[str]) -> None:
    """Make personal fields null in the entries about a subject; the rights of a serving role do not reach further."""
    await unit.fetch(BLANK, kind=subject[0], subject=subject[1], names=list(names))


PROJECTION = Projection(("*",), enter, blank)
