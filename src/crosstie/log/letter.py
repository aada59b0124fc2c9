"""Dead letters: deliveries that were given up, each with its own copy of the event, until retried or discarded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.declare import kind as kinds
from crosstie.declare.catalogue import example
from crosstie.declare.event import EventType
from crosstie.declare.field import Field, identifier, moment, text
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
    """A delivery that was given up, with its cause and its own copy of the event."""

    __tablename__ = "dead_letters"
    __table_args__ = ({"info": {"reach": "batch"}},)

    source: Mapped[str] = text(40, doc="What gave up: the kind of sink, or the broker it came from.")
    event: Mapped[str] = mapped_column(JSON, info={"field": Field(Envelope(), doc="The event.")})
    event_type: Mapped[str] = text(200, doc="The event's type.")
    endpoint_id: Mapped[UUID | None] = identifier(doc="Where it was to go.", nullable=True)
    cause: Mapped[str] = text(200, doc="Why it was given up.")
    attempts: Mapped[int] = mapped_column(
        sa.Integer, info={"field": Field(kinds.Integer(0), doc="How often it was tried.")}
    )
    first_at: Mapped[datetime] = moment(doc="When it began.")
    last_at: Mapped[datetime] = moment(doc="When it was tried last.")


async def retry(unit: Unit, row: DeadLetter, given: Mapping[str, Any]) -> dict[str, Any]:
    """Try again from the start of the schedule."""
    await again(unit, [row.id])
    return {"delivery_id": row.id}


async def discard(unit: Unit, row: DeadLetter, given: Mapping[str, Any]) -> dict[str, Any]:
    """Let go of it; the delivery stays dead, the reason stands in an event."""
    unit.delete(row)
    data = {"delivery_id": row.id, "endpoint_id": row.endpoint_id, "reason": given["reason"], "cause": row.cause}
    unit.append("dead_letter.discarded", data, ("delivery", str(row.id)))
    return {"delivery_id": row.id}


_DELIVERY = (Field(kinds.Id(), name="delivery_id", doc="The delivery."),)
DEAD_LETTERS = Resource(
    row=DeadLetter,
    name="dead-letters",
    read=(
        DeadLetter.id,
        DeadLetter.source,
        DeadLetter.event,
        DeadLetter.event_type,
        DeadLetter.endpoint_id,
        DeadLetter.cause,
        DeadLetter.attempts,
        DeadLetter.first_at,
        DeadLetter.last_at,
    ),
    filter=(DeadLetter.source, DeadLetter.event_type, DeadLetter.endpoint_id, DeadLetter.cause, DeadLetter.last_at),
    verbs=READ_ONLY,
    events=Events(None, None, None),
    actions=(
        Action("retry", retry, "Try a dead letter again.", answer=_DELIVERY),
        Action(
            "discard",
            discard,
            "Let go of a dead letter.",
            given=(Field(kinds.Text(500), name="reason", doc="Why.", default=""),),
            answer=_DELIVERY,
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
    _type(
        "dead_letter.discarded",
        "Somebody let go of a dead letter.",
        *_DELIVERY,
        _ENDPOINT,
        _CAUSE,
        Field(kinds.Text(500), name="reason", doc="Why it was let go."),
    ),
)
