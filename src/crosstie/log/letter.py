"""Dead letters: what was given up, each with its own copy of the event, until retried or discarded.

A letter is a delivery that used up its schedule, or an event that came in from a broker and cannot be used. The latter
may be parked first: tried again by itself, as its type may yet be registered (log/park.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.db.statement import Statement
from crosstie.declare import kind as kinds
from crosstie.declare.catalogue import example
from crosstie.declare.event import EventType
from crosstie.declare.field import Field, choice, described, identifier, moment, text
from crosstie.declare.resource import READ_ONLY, Action, Events, Resource
from crosstie.declare.row import Row
from crosstie.declare.shape import Shape
from crosstie.kit import json
from crosstie.log.delivery import again
from crosstie.log.unit import Unit


class Envelope(kinds.Kind):
    """A whole event, as it stands on the wire."""

    def column(self) -> sa.types.TypeEngine[Any]:
        return JSON()

    def schema(self) -> dict[str, Any]:
        return {"$ref": "#/components/schemas/Event"}

    @staticmethod
    def encode(value: Any) -> Any:
        return json.raw(value.encode())


class DeadLetter(Row):
    """What was given up or waits for another try, with its cause and its own copy of the event."""

    __tablename__ = "dead_letters"
    __table_args__ = (
        sa.Index(
            "uq_dead_letters_digest",
            "tenant_id",
            "source",
            "digest",
            unique=True,
            postgresql_where=sa.text("digest IS NOT NULL"),
        ),
        sa.Index("ix_dead_letters_due", "due_at", postgresql_where=sa.text("status = 'parked'")),
        {"info": {"reach": "batch"}},
    )

    status: Mapped[str] = choice("dead", "parked", doc="Given up, or waiting for another try by itself.")
    source: Mapped[str] = text(300, doc="What gave up: the kind of sink, or the broker it came from.")
    event: Mapped[str] = mapped_column(
        JSON, info={"field": Field(Envelope(), doc="The event; one that came in as it came.")}
    )
    event_type: Mapped[str] = text(200, doc="The event's type.")
    endpoint_id: Mapped[UUID | None] = identifier(doc="Where it was to go.", nullable=True)
    cause: Mapped[str] = text(200, doc="Why it was given up.")
    detail: Mapped[str | None] = text(2000, doc="The same in words.", nullable=True)
    attempts: Mapped[int] = mapped_column(
        sa.Integer, info={"field": Field(kinds.Integer(0), doc="How often it was tried.")}
    )
    first_at: Mapped[datetime] = moment(doc="When it began.")
    last_at: Mapped[datetime] = moment(doc="When it was tried last.")
    due_at: Mapped[datetime | None] = moment(doc="When a parked one is tried again.", nullable=True)
    #: of an event that came in: its bytes, by which a repeat is known
    digest: Mapped[bytes | None] = mapped_column(sa.LargeBinary)

    @property
    def came(self) -> bool:
        """Whether it came in, and is no delivery."""
        return self.digest is not None


async def retry(unit: Unit, row: DeadLetter, given: Mapping[str, Any]) -> dict[str, Any]:
    """Try again: a delivery from the start of the schedule, an event that came in once."""
    if row.came:
        unit.update(row, {"status": "parked", "due_at": unit.now})
        return {"delivery_id": None}
    await again(unit, [row.id])
    return {"delivery_id": row.id}


async def discard(unit: Unit, row: DeadLetter, given: Mapping[str, Any]) -> dict[str, Any]:
    """Let go of it; a delivery stays dead, the reason stands in an event."""
    unit.delete(row)
    delivery = None if row.came else row.id
    data = {"delivery_id": delivery, "endpoint_id": row.endpoint_id, "reason": given["reason"], "cause": row.cause}
    unit.append("dead_letter.discarded", data, ("dead_letter" if row.came else "delivery", str(row.id)))
    return {"delivery_id": delivery}


async def groups(unit: Unit, row: None, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """How many there are of each kind, most first."""
    return [dict(found) for found in await unit.fetch(GROUPS)]


GROUPS = Statement(
    "SELECT status, source, event_type, cause, count(*)::int AS count, min(first_at) AS first_at,"
    " max(last_at) AS last_at FROM dead_letters GROUP BY status, source, event_type, cause"
    " ORDER BY count(*) DESC, source, event_type, cause LIMIT 200",
    [],
)
_GROUP = (
    DeadLetter.status,
    DeadLetter.source,
    DeadLetter.event_type,
    DeadLetter.cause,
    Field(kinds.Integer(1), name="count", doc="How many."),
    DeadLetter.first_at,
    DeadLetter.last_at,
)
_DELIVERY = (Field(kinds.Id(), name="delivery_id", doc="The delivery; null for what came in.", nullable=True),)
DEAD_LETTERS = Resource(
    row=DeadLetter,
    name="dead-letters",
    read=(
        DeadLetter.id,
        DeadLetter.status,
        DeadLetter.source,
        DeadLetter.event,
        DeadLetter.event_type,
        DeadLetter.endpoint_id,
        DeadLetter.cause,
        DeadLetter.detail,
        DeadLetter.attempts,
        DeadLetter.first_at,
        DeadLetter.last_at,
        DeadLetter.due_at,
    ),
    filter=(
        DeadLetter.status,
        DeadLetter.source,
        DeadLetter.event_type,
        DeadLetter.endpoint_id,
        DeadLetter.cause,
        DeadLetter.last_at,
    ),
    verbs=READ_ONLY,
    events=Events(None, None, None),
    actions=(
        Action("retry", retry, "Try a dead letter again.", answer=_DELIVERY),
        Action(
            "discard",
            discard,
            "Let go of a dead letter.",
            given=(Field(kinds.Text(500, min=1, pattern=r"\S"), name="reason", doc="Why; it stands in the event."),),
            answer=_DELIVERY,
        ),
        Action(
            "groups",
            groups,
            "How many there are of each kind.",
            answer=tuple(described(each) for each in _GROUP),
            many=True,
            method="GET",
            collection=True,
            scope="read",
        ),
    ),
)


def _type(name: str, summary: str, *fields: Field) -> EventType:
    sample = {field.name: example(field) for field in fields}
    return EventType(
        name, summary, Shape(fields).schema(output=True), sample, subject="delivery", subject_field="delivery_id"
    )


_ENDPOINT = Field(kinds.Id(), name="endpoint_id", doc="Where it was to go.", nullable=True)
_CAUSE = Field(kinds.Text(), name="cause", doc="Why it was given up.")
_REFUSED = Shape(
    (
        Field(kinds.Id(), name="dead_letter_id", doc="The dead letter."),
        Field(kinds.Text(300), name="source", doc="Where it came from."),
        _CAUSE,
        Field(kinds.Text(200), name="refused_type", doc="The type that it names."),
    )
)
EVENTS = (
    _type(
        "delivery.dead",
        "A delivery was given up.",
        *_DELIVERY,
        _ENDPOINT,
        _CAUSE,
        Field(kinds.Text(), name="failed_event_id", doc="The event that was not delivered."),
        Field(kinds.Text(), name="failed_event_type", doc="Its type."),
        Field(kinds.Integer(0), name="attempts", doc="How often it was tried."),
    ),
    EventType(
        "dead_letter.created",
        "An event that came in cannot be used.",
        _REFUSED.schema(output=True),
        {field.name: example(field) for field in _REFUSED.fields.values()},
        subject="dead_letter",
        subject_field="dead_letter_id",
    ),
    _type(
        "dead_letter.discarded",
        "Somebody let go of a dead letter.",
        *_DELIVERY,
        _ENDPOINT,
        _CAUSE,
        Field(kinds.Text(500), name="reason", doc="Why it was let go."),
    ),
)
