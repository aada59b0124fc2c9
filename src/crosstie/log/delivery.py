"""Deliveries: one event on its way to one sink, with its attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from crosstie.db.statement import Statement
from crosstie.declare import kind as kinds
from crosstie.declare.field import Field, choice, identifier, moment, text
from crosstie.declare.resource import READ_ONLY, Action, Events, Resource
from crosstie.declare.row import Row
from crosstie.declare.shape import Nested
from crosstie.errors import MoveRefused
from crosstie.kit import json
from crosstie.kit import text as words
from crosstie.log import event as events
from crosstie.log import queue
from crosstie.log.unit import Unit

STATES = ("pending", "delivering", "retrying", "delivered", "dead", "cancelled")
#: bytes of a body that are shown
SHOWN = 16_384
UNFINISHED = ("pending", "delivering", "retrying")


class Delivery(Row):
    """One event on its way to one endpoint."""

    __tablename__ = "deliveries"
    __table_args__ = (
        sa.Index(
            "ix_deliveries_due",
            "tenant_id",
            "endpoint_id",
            "status",
            "due_at",
            postgresql_where=sa.text("due_at IS NOT NULL"),
        ),
        sa.Index("ix_deliveries_leased", "leased_by", postgresql_where=sa.text("leased_by IS NOT NULL")),
        sa.Index(
            "ix_deliveries_lane",
            "tenant_id",
            "endpoint_id",
            "lane",
            "sequence",
            postgresql_where=sa.text("lane IS NOT NULL AND status IN ('pending', 'delivering', 'retrying')"),
        ),
        {
            "info": {"reach": "batch", "partition": "id"},
            "postgresql_partition_by": "RANGE (id)",
        },
    )

    created_at: Mapped[datetime] = moment(doc="When it was made.")
    log_id: Mapped[UUID] = identifier(doc="The event's id in the log.")
    event_id: Mapped[str] = text(128, doc="The event's id on the wire (`webhook-id`).")
    event_type: Mapped[str] = text(200, doc="The event's type.")
    endpoint_id: Mapped[UUID] = identifier(doc="Where it goes.")
    sink: Mapped[str] = text(40, doc="The kind of sink.")
    lane: Mapped[str | None] = mapped_column(sa.Text)
    sequence: Mapped[int | None] = mapped_column(sa.BigInteger)
    status: Mapped[str] = choice(*STATES, doc="How far it is.")
    attempts: Mapped[int] = mapped_column(
        sa.Integer, info={"field": Field(kinds.Integer(0), doc="Attempts begun so far.")}
    )
    #: attempts before the schedule was begun anew by a retry
    base: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    #: which republication to a broker it is
    round: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    due_at: Mapped[datetime | None] = moment(doc="When the next attempt is due.", nullable=True)
    leased_by: Mapped[UUID | None] = mapped_column(sa.Uuid)
    response_status: Mapped[int | None] = mapped_column(
        sa.Integer, info={"field": Field(kinds.Integer(0), doc="Status of the last answer.", nullable=True)}
    )
    error_code: Mapped[str | None] = text(60, doc="Why the last attempt failed.", nullable=True)
    finished_at: Mapped[datetime | None] = moment(doc="When it ended.", nullable=True)


ATTEMPTS = Statement(
    "SELECT number, started_at, duration_ms, response_status, error_code, error_message, request_headers,"
    " response_headers, response_body FROM attempts WHERE delivery_id = $1::uuid ORDER BY number",
    ["id"],
)
EVENT = Statement("SELECT * FROM events WHERE id = $1::uuid", ["id"])
AGAIN = Statement(
    "WITH undead AS (DELETE FROM dead_letters WHERE tenant_id = $1::uuid AND id = ANY ($2::uuid[]))"
    " UPDATE deliveries SET status = 'retrying', finished_at = NULL, base = attempts,"
    " due_at = CASE WHEN lane IS NULL THEN now() ELSE 'infinity' END"
    " WHERE tenant_id = $1::uuid AND id = ANY ($2::uuid[]) AND status <> 'delivering'"
    " RETURNING tenant_id, endpoint_id, lane",
    ["tenant", "deliveries"],
)
CANCEL = Statement(
    "UPDATE deliveries SET status = 'cancelled', due_at = NULL, finished_at = now(), leased_by = NULL"
    " WHERE tenant_id = $1::uuid AND id = ANY ($2::uuid[]) AND status IN ('pending', 'delivering', 'retrying')"
    " RETURNING tenant_id, endpoint_id, lane",
    ["tenant", "deliveries"],
)


async def again(unit: Unit, ids: Sequence[UUID]) -> None:
    """Have deliveries tried again from the start of the schedule; those of an ordered lane when it is their turn."""
    await _settle(unit, AGAIN, ids)


async def _settle(unit: Unit, change: Statement, ids: Sequence[UUID]) -> None:
    rows = await unit.fetch(change, tenant=unit.tenant_id, deliveries=ids)
    lanes = [(row["tenant_id"], row["endpoint_id"], row["lane"]) for row in rows if row["lane"] is not None]
    await queue.promote(unit.connection, lanes)
    unit.after.append(unit.log.poke)


async def retry(unit: Unit, row: Delivery, given: Mapping[str, Any]) -> Delivery:
    """Try again now. A delivery that is under way is left alone, and so is one whose event was given up."""
    if row.status == "delivering":
        raise MoveRefused("An attempt is under way; wait for its result.")
    if not await unit.fetch(EVENT, id=row.log_id):
        raise MoveRefused("Its event is not kept any more: there is nothing left to send.")
    await again(unit, [row.id])
    return await unit.get(Delivery, row.id)


async def cancel(unit: Unit, row: Delivery, given: Mapping[str, Any]) -> Delivery:
    """Stop trying."""
    if row.status not in UNFINISHED:
        raise MoveRefused(f"A delivery that is {row.status} cannot be cancelled.")
    await _settle(unit, CANCEL, [row.id])
    return await unit.get(Delivery, row.id)


async def attempts(unit: Unit, row: Delivery, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was sent and what came back, attempt by attempt."""
    rows = await unit.fetch(ATTEMPTS, id=row.id)
    kept = await unit.fetch(EVENT, id=row.log_id)
    return [_attempt(unit, each, events.read(kept[0]) if kept else None) for each in rows]


def _attempt(unit: Unit, row: asyncpg.Record, event: events.Event | None) -> dict[str, Any]:
    headers = json.loads(row["request_headers"].encode()) if row["request_headers"] else {}
    body = b""
    if event is not None:
        cloud = "cloudevents" in headers.get("content-type", "")
        body = event.cloudevent(unit.log.address) if cloud else event.envelope()
    failed = row["error_code"] is not None
    answered = row["response_status"] is not None
    return {
        "number": row["number"],
        "started_at": row["started_at"],
        "duration_ms": row["duration_ms"],
        "response_status": row["response_status"],
        "error": {"code": row["error_code"], "message": row["error_message"]} if failed else None,
        "request": {"headers": headers, "body": _shown(body)},
        "response": {
            "headers": json.loads((row["response_headers"] or "{}").encode()),
            "body": _shown(row["response_body"] or b""),
        }
        if answered
        else None,
    }


def _shown(body: bytes) -> str:
    return words.truncate(body, SHOWN).decode("utf-8", "replace")


_MESSAGE = Nested(
    (
        Field(kinds.Data(200), name="headers", doc="Headers."),
        Field(kinds.Text(SHOWN), name="body", doc="The beginning of the body."),
    )
)
_ERROR = Nested(
    (
        Field(kinds.Text(60), name="code", doc="Which kind of fault.", nullable=True),
        Field(kinds.Text(2000), name="message", doc="In words.", nullable=True),
    )
)
ATTEMPT = (
    Field(kinds.Integer(1), name="number", doc="Counted from 1."),
    Field(kinds.Moment(), name="started_at", doc="When it began."),
    Field(kinds.Integer(0), name="duration_ms", doc="How long it took."),
    Field(kinds.Integer(100, 999), name="response_status", doc="Status of the answer.", nullable=True),
    Field(_ERROR, name="error", doc="What went wrong.", nullable=True),
    Field(_MESSAGE, name="request", doc="What was sent."),
    Field(_MESSAGE, name="response", doc="What came back.", nullable=True),
)

DELIVERIES = Resource(
    row=Delivery,
    name="deliveries",
    read=(
        Delivery.id,
        Delivery.event_id,
        Delivery.event_type,
        Delivery.endpoint_id,
        Delivery.sink,
        Delivery.status,
        Delivery.attempts,
        Delivery.due_at,
        Delivery.response_status,
        Delivery.error_code,
        Delivery.created_at,
        Delivery.finished_at,
    ),
    filter=(Delivery.event_id, Delivery.endpoint_id, Delivery.status),
    verbs=READ_ONLY,
    events=Events(None, None, None),
    actions=(
        Action("retry", retry, "Try a delivery again now."),
        Action("cancel", cancel, "Stop trying a delivery."),
        Action(
            "attempts",
            attempts,
            "What was sent and what came back.",
            answer=ATTEMPT,
            many=True,
            method="GET",
            scope="read",
        ),
    ),
)
